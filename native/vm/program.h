#pragma once

#include <atomic>
#include <cstdint>
#include <map>
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

/// A variable, of which every session has its own value: a buffer view in a global.
struct Variable {
  std::string name;
  std::string global;
  uint32_t dtype = 0;
  std::vector<int64_t> shape;  // -1: any size
};

/// What a program keeps between calls, as the manifest says it.
struct State {
  std::vector<Variable> variables;
  /// The function that gives them their first values; empty: none.
  std::string initializer;
  /// The functions that store to variables.
  std::vector<std::string> updating;
};

/// Code, constants and kernels on a device. Does not change; sessions hold what does.
class Program : public Object {
 public:
  /// Verifies the module against the constants and executables, and the state against the module. Fails with an
  /// artifact error.
  Program(Ref<hal::Device> device, Module module, std::vector<Ref<hal::Buffer>> constants,
          std::vector<Ref<hal::Executable>> executables, std::unique_ptr<const HostFunctions> host_functions,
          Limits limits, State state);

  const Ref<hal::Device>& device() const { return device_; }
  const Module& module() const { return module_; }
  const std::vector<Ref<hal::Buffer>>& constants() const { return constants_; }
  const std::vector<Ref<hal::Executable>>& executables() const { return executables_; }
  const HostFunctions& host_functions() const { return *host_functions_; }
  const Limits& limits() const { return limits_; }

  bool has_variables() const { return !state_.variables.empty(); }
  /// The variables, by the index of their global.
  const std::map<uint32_t, const Variable*>& variables() const { return variables_; }
  /// The functions that set up a session, in the order in which they run.
  const std::vector<const Function*>& initializers() const { return initializers_; }
  /// True when a call of this function, which is one of the module, may change variables.
  bool updates(const Function& function) const;

  /// Work submitted from now on reports to `profiler`; null: nobody.
  void set_profiler(Ref<hal::Profiler> profiler);
  Ref<hal::Profiler> profiler() const;

 private:
  void resolve_state();
  const Function& exported(const std::string& name) const;

  const Ref<hal::Device> device_;
  const Module module_;
  const std::vector<Ref<hal::Buffer>> constants_;
  const std::vector<Ref<hal::Executable>> executables_;
  const std::unique_ptr<const HostFunctions> host_functions_;
  const Limits limits_;
  const State state_;
  std::map<uint32_t, const Variable*> variables_;
  std::vector<const Function*> initializers_;
  std::vector<const Function*> updating_;
  std::atomic<bool> profiling_{false};
  mutable std::mutex profiler_mutex_;
  Ref<hal::Profiler> profiler_;
};

}  // namespace tesselle::vm
