#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ref.h"
#include "hal/buffer.h"
#include "vm/program.h"
#include "vm/turns.h"

namespace tesselle::vm {

/// Asked now and then by whoever waits; may throw, and so end the wait.
using Interrupted = std::function<void()>;

/// The globals of a program. Each access to one is atomic. Whole calls are ordered where the program has variables (see
/// join), and may run at the same time where it has none.
class Session : public Object {
 public:
  /// Globals begin with the values that the module gives; the initializers have not run.
  explicit Session(Ref<Program> program);
  ~Session() override;

  const Ref<Program>& program() const { return program_; }

  uint64_t load(uint32_t index) const;
  void store(uint32_t index, uint64_t bits);
  /// Returns a reference that the caller owns, or null.
  Object* load_reference(uint32_t index) const;
  /// True where the global is a variable's. Then it fails with an execution error unless `object` is a view of the
  /// variable's type, and memory of somebody else, an argument's or a constant's, is copied.
  bool store_reference(uint32_t index, Object* object);

  /// A turn for a call or for who reads or replaces variables. Null when the program has no variables.
  Ref<Turn> join();

  /// Waits until `turn`, which may be null, has come. Fails with an invocation error in a host function of a call that
  /// holds the turn itself.
  void wait_for(const Turn* turn, const Interrupted& interrupted) const;

  /// Leaves the session unusable, for reasons that were not known before; the first of them stays.
  void fail(const std::string& reason);
  /// Fails with a session error when something has left it unusable.
  void require_usable() const;

  // What follows is for who holds the turn.

  /// The view in a global of type ref. Fails with an execution error when there is none.
  Ref<hal::BufferView> view(uint32_t index) const;
  /// Stores all of the views or, when one does not suit its variable, fails with an invocation error and stores none.
  /// The session is usable again when all variables are among them.
  void replace(std::span<const std::pair<uint32_t, Ref<hal::BufferView>>> views);
  /// Gives globals their first values and runs the initializers. A failure leaves the session unusable.
  void initialize(const Interrupted& interrupted);

 private:
  /// Stores and releases what was there before.
  void exchange_reference(uint32_t index, Ref<Object> object);
  void clear();
  void check_complete();
  void set_failure(const std::string& text);

  const Ref<Program> program_;
  const Ref<TurnQueue> turns_;
  mutable std::mutex mutex_;
  std::vector<Slot> globals_;
  std::atomic<bool> failed_{false};
  std::string failure_;
};

}  // namespace tesselle::vm
