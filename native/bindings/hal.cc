#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <tuple>

#include "base/error.h"
#include "bindings/bindings.h"
#include "cpu/machine_limits.h"
#include "image/flat_image.h"

namespace tesselle::bindings {
namespace {

using Binding = std::tuple<uint32_t, int64_t, int64_t, uint32_t>;
using Point = std::tuple<SemaphoreHandle, uint64_t>;

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const hal::Buffer& buffer = *nb::inst_ptr<BufferHandle>(self)->ref;
  return PyBuffer_FillInfo(view, self, buffer.data(), buffer.length(), buffer.is_read_only(), flags);
}

PyType_Slot buffer_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};

std::vector<hal::TimelinePoint> points(const std::vector<Point>& list) {
  std::vector<hal::TimelinePoint> result;
  result.reserve(list.size());
  for (const auto& [semaphore, value] : list) result.push_back({semaphore.ref, value});
  return result;
}

void submit(DeviceHandle& self, CommandBufferHandle& commands, const std::vector<BufferHandle>& table,
            const std::vector<Point>& waits, const std::vector<Point>& signals) {
  std::vector<Ref<hal::Buffer>> buffers;
  buffers.reserve(table.size());
  for (const BufferHandle& buffer : table) buffers.push_back(buffer.ref);
  const auto submission =
      make_ref<hal::Submission>(self.ref, commands.ref, buffers, points(waits), points(signals), nullptr);
  const nb::gil_scoped_release nogil;
  submission->launch();
}

bool wait(SemaphoreHandle& self, uint64_t value, double timeout_s) {
  constexpr int64_t kSliceNs = 50'000'000;
  const auto total = timeout_s < 0 ? INT64_MAX : static_cast<int64_t>(std::min(timeout_s, 9e9) * 1e9);
  const nb::gil_scoped_release nogil;
  // In slices, so that Ctrl-C gets through.
  for (int64_t left = total; true; left -= kSliceNs) {
    if (hal::await_point({self.ref, value}, std::min(left, kSliceNs))) return true;
    if (left <= kSliceNs) return false;
    check_signals();
  }
}

void register_device(nb::module_& module) {
  nb::class_<DeviceHandle>(module, "Device", "The processor as a device.")
      .def(
          "__init__",
          [](DeviceHandle* self, int threads, bool pin, int64_t cache_bytes) {
            if (threads < 0 || threads > 4096) throw Error(ErrorKind::kOption, "threads must be between 1 and 4096");
            new (self) DeviceHandle{make_ref<cpu::CpuDevice>(cpu::DeviceOptions{threads, pin, cache_bytes})};
          },
          nb::arg("threads"), nb::arg("pin"), nb::arg("cache_bytes"))
      .def_prop_ro("threads", [](DeviceHandle& self) { return self.ref->threads(); })
      .def("allocate", [](DeviceHandle& self,
                          int64_t size) { return BufferHandle{hal::allocate_buffer(self.ref->allocator(), size)}; })
      .def("import_buffer", [](DeviceHandle&, nb::handle object,
                               bool writable) { return BufferHandle{import_python_buffer(object, writable)}; })
      .def("load_executable",
           [](DeviceHandle&, nb::handle data, const std::string& name, int index) {
             const auto bytes = import_python_buffer(data, false);
             return ExecutableHandle{image::load_flat_image(
                 std::span<const std::byte>(bytes->data(), static_cast<size_t>(bytes->length())), name.c_str(), index)};
           })
      .def("submit", &submit)
      .def("trim", [](DeviceHandle& self) { self.ref->allocator()->trim(); })
      .def("memory", [](DeviceHandle& self) {
        const auto s = self.ref->allocator()->statistics();
        return std::make_tuple(s.in_use, s.cached, s.peak_in_use, s.allocations);
      });
}

void register_command_buffer(nb::module_& module) {
  nb::class_<CommandBufferHandle>(module, "CommandBuffer", "Recorded work.")
      .def("__init__", [](CommandBufferHandle* self,
                          int64_t capacity) { new (self) CommandBufferHandle{make_ref<hal::CommandBuffer>(capacity)}; })
      .def("dispatch",
           [](CommandBufferHandle& self, ExecutableHandle& executable, int64_t entry,
              std::tuple<int64_t, int64_t, int64_t> grid, const std::vector<int64_t>& push,
              const std::vector<Binding>& bindings) {
             std::vector<hal::BindingRange> ranges;
             ranges.reserve(bindings.size());
             for (const auto& [slot, offset, length, access] : bindings)
               ranges.push_back({slot, access, offset, length});
             const int64_t extents[3] = {std::get<0>(grid), std::get<1>(grid), std::get<2>(grid)};
             self.ref->dispatch(executable.ref, entry, extents, push, ranges);
           })
      .def("copy",
           [](CommandBufferHandle& self, uint32_t source, int64_t source_offset, uint32_t target, int64_t target_offset,
              int64_t length) {
             self.ref->copy({source, hal::kAccessRead, source_offset, length},
                            {target, hal::kAccessWrite, target_offset, length});
           })
      .def("fill",
           [](CommandBufferHandle& self, uint32_t slot, int64_t offset, int64_t length, uint64_t pattern,
              int64_t pattern_bytes) {
             self.ref->fill({slot, hal::kAccessWrite, offset, length}, pattern, pattern_bytes);
           })
      .def("barrier", [](CommandBufferHandle& self) { self.ref->barrier(); })
      .def("finalize", [](CommandBufferHandle& self) { self.ref->finalize(); });
}

}  // namespace

void register_hal(nb::module_& module) {
  nb::class_<BufferHandle>(module, "Buffer", nb::type_slots(buffer_slots),
                           "A range of memory; has the buffer protocol.")
      .def_prop_ro("length", [](BufferHandle& self) { return self.ref->length(); })
      .def_prop_ro("read_only", [](BufferHandle& self) { return self.ref->is_read_only(); })
      .def_prop_ro("address", [](BufferHandle& self) { return reinterpret_cast<uintptr_t>(self.ref->data()); })
      .def("subspan", [](BufferHandle& self, int64_t offset, int64_t length) {
        return BufferHandle{hal::subspan(self.ref, offset, length)};
      });
  nb::class_<SemaphoreHandle>(module, "Semaphore", "A timeline semaphore.")
      .def("__init__", [](SemaphoreHandle* self,
                          uint64_t initial) { new (self) SemaphoreHandle{make_ref<hal::Semaphore>(initial)}; })
      .def_prop_ro("value", [](SemaphoreHandle& self) { return self.ref->query(); })
      .def("signal",
           [](SemaphoreHandle& self, uint64_t value) {
             const nb::gil_scoped_release nogil;
             self.ref->signal(value);
           })
      .def("fail",
           [](SemaphoreHandle& self, const std::string& message) {
             const nb::gil_scoped_release nogil;
             self.ref->fail(message);
           })
      .def("wait", &wait);
  nb::class_<ExecutableHandle>(module, "Executable", "Kernels, loaded.")
      .def_prop_ro("entries", [](ExecutableHandle& self) {
        std::vector<std::tuple<uint32_t, uint32_t, int64_t>> entries;
        for (const auto& e : self.ref->entries()) {
          entries.emplace_back(e.binding_count, e.push_count, e.local_memory_bytes);
        }
        return entries;
      });
  module.def("measure_machine_limits", [](int threads, double seconds) {
    const nb::gil_scoped_release nogil;
    const cpu::MachineLimits limits = cpu::measure_machine_limits(threads, seconds);
    return std::make_tuple(limits.flops_per_s, limits.bytes_per_s);
  });
  register_command_buffer(module);
  register_device(module);
}

}  // namespace tesselle::bindings
