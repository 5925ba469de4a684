// The Python module ggufpress._native. Every length is checked here, then the GIL is released.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <tuple>

#include "dispatch.hpp"
#include "float_mode.hpp"
#include "tensor.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace ggufpress {
namespace {

/// The bytes of any C-contiguous object with the buffer protocol, held until the end of the call.
class Bytes {
public:
    Bytes(const nb::object& owner, const char* name, bool writable = false) : name_(name) {
        if (PyObject_GetBuffer(owner.ptr(), &view_, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) != 0) {
            PyErr_Clear();
            throw nb::value_error((name_ + (writable ? " is not a writable, C-contiguous buffer"
                                                     : " is not a C-contiguous buffer")).c_str());
        }
    }
    ~Bytes() { PyBuffer_Release(&view_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;

    uint8_t* data() const { return static_cast<uint8_t*>(view_.buf); }
    int64_t size() const { return view_.len; }

    void expect_size(int64_t expected) const {
        if (size() == expected) return;
        throw nb::value_error((name_ + " has " + std::to_string(size()) + " bytes where " + std::to_string(expected) +
                               " are needed").c_str());
    }

    const float* floats() const {
        if (reinterpret_cast<uintptr_t>(data()) % alignof(float) != 0)
            throw nb::value_error((name_ + " is not aligned for 32-bit floats").c_str());
        return reinterpret_cast<const float*>(data());
    }

private:
    std::string name_;
    Py_buffer view_;
};

void check_type(const Kernels& kernels, int type, const char* name) {
    if (type < 0 || type >= TYPE_COUNT || kernels.of[type].dequantize == nullptr)
        throw nb::value_error((std::string(name) + " " + std::to_string(type) + " has no kernels").c_str());
}

void check_float_type(int type, const char* name) {
    if (type != F32 && type != F16 && type != BF16)
        throw nb::value_error((std::string(name) + " " + std::to_string(type) + " is not F32, F16 or BF16").c_str());
}

void check_cols(int64_t cols, int type) {
    const int block = block_size(type).weights;
    if (cols <= 0 || cols % block != 0)
        throw nb::value_error(("rows of " + std::to_string(cols) + " do not divide into blocks of " +
                               std::to_string(block)).c_str());
}

/// Rows that `data` holds. Bounds cols by the buffer, so that products below cannot overflow.
int64_t rows_of(const Bytes& data, int64_t cols, int type, const char* name) {
    check_cols(cols, type);
    if (cols > INT64_MAX / 8) throw nb::value_error("rows are too long");
    const int64_t bytes = bytes_of(type, cols);
    if (data.size() % bytes != 0)
        throw nb::value_error((std::string(name) + " has " + std::to_string(data.size()) +
                               " bytes, which are not rows of " + std::to_string(bytes)).c_str());
    return data.size() / bytes;
}

int64_t convert_rows(const nb::object& src, int src_type, int via_type, const nb::object& dst, int dst_type,
                     int64_t n_per_row, const nb::object& importance) {
    const Kernels& kernels = active_kernels();
    check_float_type(src_type, "src_type");
    check_float_type(via_type, "via_type");
    check_type(kernels, dst_type, "dst_type");
    if (kernels.of[dst_type].quantize == nullptr) throw nb::value_error("this type can only be read");
    if (needs_importance(dst_type) && importance.is_none()) throw nb::value_error("this type needs importance weights");
    const Bytes from(src, "src"), to(dst, "dst", true);
    const int64_t rows = rows_of(from, n_per_row, src_type, "src");
    check_cols(n_per_row, dst_type);
    to.expect_size(rows * bytes_of(dst_type, n_per_row));
    std::optional<Bytes> weights;
    if (!importance.is_none()) weights.emplace(importance, "importance").expect_size(4 * n_per_row);
    const float* of_columns = weights ? weights->floats() : nullptr;
    nb::gil_scoped_release unlocked;
    const FloatMode mode;
    return convert(kernels, from.data(), src_type, via_type, to.data(), dst_type, {rows, n_per_row}, of_columns);
}

void dequantize_rows(const nb::object& src, int src_type, const nb::object& dst_f32, int64_t n_per_row) {
    const Kernels& kernels = active_kernels();
    check_type(kernels, src_type, "src_type");
    const Bytes from(src, "src"), to(dst_f32, "dst_f32", true);
    const int64_t n = rows_of(from, n_per_row, src_type, "src") * n_per_row;
    to.expect_size(4 * n);
    auto* out = const_cast<float*>(to.floats());
    nb::gil_scoped_release unlocked;
    const FloatMode mode;
    dequantize(kernels, from.data(), src_type, out, n);
}

std::tuple<double, double, double> error_sums_of_rows(const nb::object& a, int a_type, const nb::object& b, int b_type,
                                                      int64_t n_per_row) {
    const Kernels& kernels = active_kernels();
    check_type(kernels, a_type, "a_type");
    check_type(kernels, b_type, "b_type");
    const Bytes left(a, "a"), right(b, "b");
    const int64_t rows = rows_of(left, n_per_row, a_type, "a");
    check_cols(n_per_row, b_type);
    right.expect_size(rows * bytes_of(b_type, n_per_row));
    nb::gil_scoped_release unlocked;
    const FloatMode mode;
    const ErrorSums sums = error_sums(kernels, left.data(), a_type, right.data(), b_type, rows * n_per_row);
    return {sums.sum_sq, sums.max_abs, sums.sum_sq_a};
}

int64_t check_blocks(const nb::object& src, int type, int64_t n_per_row) {
    const Kernels& kernels = active_kernels();
    check_type(kernels, type, "type");
    const Bytes from(src, "src");
    const int64_t blocks = rows_of(from, n_per_row, type, "src") * (n_per_row / block_size(type).weights);
    nb::gil_scoped_release unlocked;
    return first_bad_block(kernels, from.data(), type, blocks);
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Kernels of ggufpress. Types are ggml type numbers; buffers are C-contiguous; ValueError if sizes differ.";
    m.def("convert", convert_rows, "src"_a, "src_type"_a, "via_type"_a, "dst"_a, "dst_type"_a, "n_per_row"_a,
          "importance"_a.none() = nb::none(),
          "Index of the first value that is not finite if dst_type has blocks, else -1; dst holds the stored rows.");
    m.def("dequantize", dequantize_rows, "src"_a, "src_type"_a, "dst_f32"_a, "n_per_row"_a,
          "Writes the values that the rows of src stand for.");
    m.def("error_sums", error_sums_of_rows, "a"_a, "a_type"_a, "b"_a, "b_type"_a, "n_per_row"_a,
          "Sum of (a - b)^2, largest |a - b| and sum of a^2, the same on every instruction set.");
    m.def("check_blocks", check_blocks, "src"_a, "type"_a, "n_per_row"_a,
          "Index of the first block whose scales are NaN or infinite, or -1.");
    m.def("isa", [] { return std::string(active_kernels().name); }, "Name of the instruction set in use.");
    m.def("isas", supported_isas, "Instruction sets that this machine can use, best first.");
    m.def("set_isa", set_isa, "name"_a, "Makes the whole process use the named instruction set; ValueError if unknown.");
}

}  // namespace ggufpress
