// Every instruction set compiled in, by name.
#pragma once

#include "kernels.hpp"

namespace ggufpress {

namespace scalar { const Kernels& kernels(); }
#if defined(__x86_64__)
namespace sse2 { const Kernels& kernels(); }
namespace avx2 { const Kernels& kernels(); }
namespace avx512 { const Kernels& kernels(); }
#elif defined(__aarch64__)
namespace neon { const Kernels& kernels(); }
#endif

}  // namespace ggufpress
