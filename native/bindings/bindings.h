#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/ref.h"
#include "cpu/device.h"
#include "hal/buffer.h"
#include "hal/command_buffer.h"
#include "hal/profiler.h"
#include "hal/semaphore.h"
#include "vm/invocation.h"
#include "vm/program.h"
#include "vm/session.h"

namespace tesselle::bindings {

namespace nb = nanobind;

/// What Python holds: one reference to a shared object.
template <typename T>
struct Handle {
  Ref<T> ref;
};
using DeviceHandle = Handle<cpu::CpuDevice>;
using BufferHandle = Handle<hal::Buffer>;
using CommandBufferHandle = Handle<hal::CommandBuffer>;
using SemaphoreHandle = Handle<hal::Semaphore>;
using ExecutableHandle = Handle<hal::Executable>;
using ProgramHandle = Handle<vm::Program>;
using SessionHandle = Handle<vm::Session>;
using InvocationHandle = Handle<vm::Invocation>;

/// An argument that a function expects; a dimension of -1 takes any size.
struct ArgumentSpec {
  uint32_t dtype = 0;
  uint32_t item_bytes = 0;
  std::vector<std::string> formats;  // of the buffer protocol
  std::vector<int64_t> shape;
};

/// The memory of any object with the buffer protocol, C-contiguous, kept alive and exported until the buffer ends.
Ref<hal::Buffer> import_python_buffer(nb::handle object, bool writable);

/// A buffer view of `value` without a copy, or null when it is not exactly what `spec` wants (then Python converts it).
/// `trusted`: the caller has seen to dtype and shape, only the number of bytes is looked at.
Ref<hal::BufferView> import_argument(nb::handle value, const ArgumentSpec& spec, bool trusted);

/// A NumPy array on top of a result's memory; copied first when anything else holds that memory.
/// `numpy_dtypes` maps the codes of element types.
nb::object export_result(const vm::Slot& slot, size_t index, const Ref<hal::Device>& device, nb::handle ndarray,
                         const std::vector<nb::object>& numpy_dtypes);

/// Throws what a signal handler raised (KeyboardInterrupt). Takes the GIL.
void check_signals();

void register_errors(nb::module_& module);
void register_hal(nb::module_& module);
void register_program(nb::module_& module);
void register_session(nb::module_& module);

}  // namespace tesselle::bindings
