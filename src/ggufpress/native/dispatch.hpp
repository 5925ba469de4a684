// Which instruction set runs: the best that this CPU has, unless GGUFPRESS_ISA or set_isa names another.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace ggufpress {

/// The sets compiled in that this CPU supports, best first; "scalar" is always last.
std::vector<std::string> supported_isas();

/// The table in use. Throws std::invalid_argument where GGUFPRESS_ISA names none of supported_isas().
const Kernels& active_kernels();

/// Makes `name` the table in use, for the whole process. Throws std::invalid_argument for an unsupported name.
void set_isa(const std::string& name);

}  // namespace ggufpress
