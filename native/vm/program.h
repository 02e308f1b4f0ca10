#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/ref.h"
#include "hal/submission.h"
#include "vm/host_functions.h"
#include "vm/module.h"

namespace tesselle::vm {

/// A register: which member is valid is its type's business, which the verifier has settled.
union Slot {
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
  Object* ref;
  uint64_t bits;
};
static_assert(sizeof(Slot) == 8);

/// What a hostile or endless program may take before it fails.
struct Limits {
  int64_t call_depth = 1024;
  /// Jumps and calls of one invocation; negative: no limit.
  int64_t steps = -1;
};

/// Code, constants and kernels on a device. Does not change; sessions hold what does.
class Program : public Object {
 public:
  /// Verifies the module against the constants and executables. Fails with an artifact error.
  Program(Ref<hal::Device> device, Module module, std::vector<Ref<hal::Buffer>> constants,
          std::vector<Ref<hal::Executable>> executables, std::unique_ptr<const HostFunctions> host_functions,
          Limits limits);

  const Ref<hal::Device>& device() const { return device_; }
  const Module& module() const { return module_; }
  const std::vector<Ref<hal::Buffer>>& constants() const { return constants_; }
  const std::vector<Ref<hal::Executable>>& executables() const { return executables_; }
  const HostFunctions& host_functions() const { return *host_functions_; }
  const Limits& limits() const { return limits_; }

  /// Work submitted from now on reports to `profiler`; null: nobody.
  void set_profiler(Ref<hal::Profiler> profiler);
  Ref<hal::Profiler> profiler() const;

 private:
  const Ref<hal::Device> device_;
  const Module module_;
  const std::vector<Ref<hal::Buffer>> constants_;
  const std::vector<Ref<hal::Executable>> executables_;
  const std::unique_ptr<const HostFunctions> host_functions_;
  const Limits limits_;
  std::atomic<bool> profiling_{false};
  mutable std::mutex profiler_mutex_;
  Ref<hal::Profiler> profiler_;
};

/// The variables of a program. Calls of one session may run at the same time: each access to a variable is atomic.
class Session : public Object {
 public:
  explicit Session(Ref<Program> program);
  ~Session() override;

  const Ref<Program>& program() const { return program_; }

  uint64_t load(uint32_t index) const;
  void store(uint32_t index, uint64_t bits);
  /// Returns a reference that the caller owns, or null.
  Object* load_reference(uint32_t index) const;
  void store_reference(uint32_t index, Object* object);

 private:
  const Ref<Program> program_;
  mutable std::mutex mutex_;
  std::vector<Slot> globals_;
};

}  // namespace tesselle::vm
