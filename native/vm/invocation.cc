#include "vm/invocation.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "vm/interpreter.h"

namespace tesselle::vm {
namespace {

constexpr size_t kMaxStackSlots = size_t{1} << 22;

}  // namespace

Invocation::Invocation(Ref<Session> session, const Function& function)
    : Object(ObjectKind::kInvocation),
      session_(std::move(session)),
      function_(function),
      profiler_(session_->program()->profiler()),
      steps_left_(session_->program()->limits().steps) {
  push_frame(function, nullptr);
}

Invocation::~Invocation() {
  drop_frames();
  for (size_t i = 0; i < results_.size(); ++i) {
    if (function_.results[i] == RegisterType::kRef && results_[i].ref) results_[i].ref->release();
  }
}

void Invocation::set_argument(uint32_t index, Slot value) { stack_[index] = value; }

void Invocation::set_argument_reference(uint32_t index, Object* object) { assign(stack_[index], object); }

void Invocation::push_frame(const Function& function, const uint32_t* result_list) {
  const size_t base = stack_.size();
  if (static_cast<int64_t>(frames_.size()) >= session_->program()->limits().call_depth ||
      base + function.registers.size() > kMaxStackSlots) {
    fail_execution("calls nest too deeply (" + std::to_string(frames_.size()) + ")");
  }
  stack_.resize(base + function.registers.size(), Slot{.bits = 0});
  frames_.push_back({&function, function.code.data(), base, result_list});
}

void Invocation::pop_frame() {
  const Frame& frame = frames_.back();
  for (const uint32_t r : frame.function->references) {
    if (Object* object = stack_[frame.base + r].ref) object->release();
  }
  stack_.resize(frame.base);
  frames_.pop_back();
}

void Invocation::drop_frames() {
  while (!frames_.empty()) pop_frame();
}

void Invocation::launch_deferred() {
  for (const auto& submission : deferred_) submission->launch();
  deferred_.clear();
}

Status Invocation::resume(int64_t steps) {
  if (running_.exchange(true, std::memory_order_acquire)) {
    fail_execution("this call is being resumed by another thread");
  }
  struct Leave {
    std::atomic<bool>& running;
    ~Leave() { running.store(false, std::memory_order_release); }
  } leave{running_};

  if (frames_.empty()) fail_execution("this call has ended");
  try {
    const bool limited = session_->program()->limits().steps >= 0;
    const int64_t budget = limited ? std::min(steps, steps_left_) : steps;
    int64_t left = budget;
    status_ = Interpreter(*this).run(left);
    if (limited) {
      steps_left_ -= budget - left;
      if (status_ == Status::kPreempted && steps_left_ <= 0) {
        fail_execution("took more than " + std::to_string(session_->program()->limits().steps) + " steps");
      }
    }
  } catch (const Error& error) {
    std::string place = "function '" + function_.name + "'";
    if (!frames_.empty() && frames_.back().function != &function_) {
      place += ", in '" + frames_.back().function->name + "'";
    }
    status_ = Status::kDone;
    drop_frames();
    deferred_.clear();
    throw Error(error.kind(), place + ": " + error.what());
  } catch (...) {
    // What a host function lets through, such as KeyboardInterrupt, ends the call too.
    status_ = Status::kDone;
    drop_frames();
    deferred_.clear();
    throw;
  }
  // In state kWaiting whoever awaits does the work.
  if (status_ != Status::kWaiting) launch_deferred();
  return status_;
}

bool Invocation::await(int64_t timeout_ns) {
  for (const auto& submission : std::exchange(deferred_, {})) {
    if (!submission->is_ready()) {
      submission->launch();
    } else if (submission->try_claim()) {
      submission->run();
    }
  }
  // A failure is reported by the instruction that waits, when it is resumed.
  if (awaited_.semaphore->has_failed()) return true;
  try {
    return hal::await_point(awaited_, timeout_ns);
  } catch (const Error&) {
    return true;
  }
}

}  // namespace tesselle::vm
