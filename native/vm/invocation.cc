#include "vm/invocation.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "base/error.h"
#include "vm/interpreter.h"

namespace tesselle::vm {
namespace {

constexpr size_t kMaxStackSlots = size_t{1} << 22;

/// The call that this thread is running; only kept where calls are ordered.
thread_local const Invocation* innermost = nullptr;

}  // namespace

/// One thread at a time.
class Invocation::Running {
 public:
  explicit Running(Invocation& call) : call_(call) {
    if (call.running_.exchange(true, std::memory_order_acquire)) {
      fail_execution("this call is being resumed by another thread");
    }
    if (call.order_) call.order_->outer = std::exchange(innermost, &call);
  }
  ~Running() {
    if (call_.order_) innermost = call_.order_->outer;
    call_.running_.store(false, std::memory_order_release);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Invocation& call_;
};

Invocation::Invocation(Ref<Session> session, const Function& function)
    : Object(ObjectKind::kInvocation),
      session_(std::move(session)),
      function_(function),
      profiler_(session_->program()->profiler()),
      order_(session_->program()->has_variables() ? std::make_unique<Order>() : nullptr),
      steps_left_(session_->program()->limits().steps) {
  push_frame(function, nullptr);
}

Invocation::~Invocation() {
  if (order_ && !frames_.empty()) end(place() + ": the call was dropped before it ended");
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

std::string Invocation::place() const {
  std::string text = "function '" + function_.name + "'";
  if (!frames_.empty() && frames_.back().function != &function_) text += ", in '" + frames_.back().function->name + "'";
  return text;
}

Status Invocation::resume(int64_t steps) {
  const Running guard(*this);
  if (frames_.empty()) fail_execution("this call has ended");
  try {
    if (order_ && !take_turn()) return status_;
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
    // In state kWaiting whoever awaits does the work.
    if (status_ != Status::kWaiting) launch_deferred();
    if (status_ == Status::kDone && order_) {
      settle_results();
      give_up_turn();
    }
  } catch (const Error& error) {
    const std::string text = place() + ": " + error.what();
    end(text);
    throw Error(error.kind(), text);
  } catch (...) {
    // What a host function lets through, such as KeyboardInterrupt, ends the call too.
    end(place() + ": " + current_failure());
    throw;
  }
  return status_;
}

void Invocation::end(const std::string& reason) {
  status_ = Status::kDone;
  drop_frames();
  deferred_.clear();
  if (!order_ || !order_->turn) return;
  // Before the turn ends, so that the next call sees it.
  if (has_effects_ && session_->program()->updates(function_)) session_->fail(reason);
  give_up_turn();
}

void Invocation::abandon(const std::string& reason) {
  const Running guard(*this);
  if (!frames_.empty()) end(place() + ": " + reason);
}

bool Invocation::take_turn() {
  if (!order_->turn || order_->has_begun) return true;
  if (!order_->turn->has_come()) {
    require_none_of(*session_, order_->outer);
    awaited_ = order_->turn->begins();
    status_ = Status::kWaiting;
    return false;
  }
  session_->require_usable();
  order_->has_begun = true;
  return true;
}

void Invocation::on_turn(std::function<void()> callback) const {
  if (!order_ || !order_->turn) {
    callback();
    return;
  }
  const hal::TimelinePoint point = order_->turn->begins();
  point.semaphore->on_reached(point.value, std::move(callback));
}

void Invocation::track(const hal::TimelinePoint& point) {
  // Looked through each time the list would have to grow: it stays as long as what is under way at once.
  auto& points = order_->in_flight;
  if (points.size() == points.capacity()) {
    std::erase_if(points, [](const auto& p) { return p.semaphore->has_reached(p.value); });
  }
  points.push_back(point);
}

void Invocation::give_up_turn() {
  const Ref<Turn> turn = std::move(order_->turn);
  if (!turn) return;
  const bool updates = session_->program()->updates(function_);
  for (const hal::TimelinePoint& point : order_->in_flight) {
    if (point.semaphore->has_reached(point.value)) continue;
    // The semaphore itself calls, so it is there; a reference from its own callback would keep it for ever.
    const hal::Semaphore* semaphore = point.semaphore.get();
    point.semaphore->on_reached(point.value, [turn, session = session_, semaphore, updates, place = place()] {
      if (updates && semaphore->has_failed()) session->fail(place + ": " + semaphore->failure());
    });
  }
  order_->in_flight.clear();
}

void Invocation::settle_results() {
  for (size_t i = 0; i < results_.size(); ++i) {
    Object* object = function_.results[i] == RegisterType::kRef ? results_[i].ref : nullptr;
    if (!object || object->object_kind() != ObjectKind::kBufferView) continue;
    const auto& view = *static_cast<const hal::BufferView*>(object);
    if (view.is_uniquely_held()) continue;
    auto copy = hal::copy_bytes(view, session_->program()->device()->allocator());
    assign(results_[i], make_ref<hal::BufferView>(std::move(copy), 0, view.dtype(), view.shape()).detach());
  }
}

std::string Invocation::current_failure() {
  try {
    throw;
  } catch (const std::exception& error) {
    std::string text = error.what();
    text.erase(text.find_last_not_of(" \n") + 1);
    return text.substr(text.find_last_of('\n') + 1);
  } catch (...) {
    return "an exception of another language";
  }
}

void Invocation::require_no_call_around(const Session& session) { require_none_of(session, innermost); }

void Invocation::require_none_of(const Session& session, const Invocation* call) {
  for (; call; call = call->order_->outer) {
    if (call->session_.get() == &session) {
      fail_invocation("a custom call of function '" + call->function_.name +
                      "' may not call the session that calls it: the call would wait for itself");
    }
  }
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
