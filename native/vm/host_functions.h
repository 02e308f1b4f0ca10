#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ref.h"
#include "hal/buffer.h"

namespace tesselle::vm {

/// The functions of the process around the program, which bytecode calls by number. Any thread may call.
class HostFunctions {
 public:
  HostFunctions() = default;
  HostFunctions(const HostFunctions&) = delete;
  HostFunctions& operator=(const HostFunctions&) = delete;
  virtual ~HostFunctions() = default;

  virtual size_t count() const = 0;
  /// Reads `arguments` and fills `results`. Fails with an execution error.
  virtual void call(uint32_t index, std::span<const Ref<hal::BufferView>> arguments,
                    std::span<const Ref<hal::BufferView>> results) const = 0;
};

}  // namespace tesselle::vm
