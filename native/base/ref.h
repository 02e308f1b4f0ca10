#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace tesselle {

/// What an Object is; VM instructions check it before they use a reference.
enum class ObjectKind : uint8_t {
  kBuffer,
  kBufferView,
  kCommandBuffer,
  kSemaphore,
  kExecutable,
  kSubmission,
  kProgram,
  kSession,
  kInvocation,
  kDevice,
  kTurn,
  kTurnQueue,
  kCommandCache,
};

/// Base of everything that is shared: an intrusive, atomic reference count.
///
/// Intrusive, because VM registers hold raw 64-bit words and because the count tells whether a result is held by
/// anything else (see Buffer::is_uniquely_held).
class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  ObjectKind object_kind() const { return kind_; }
  void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
  /// retain(), unless the object is being destroyed already. Only under a lock that the destructor takes, too.
  bool try_retain() const {
    uint32_t count = count_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (count_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) return true;
    }
    return false;
  }
  void release() const {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  uint32_t reference_count() const { return count_.load(std::memory_order_acquire); }

 protected:
  explicit Object(ObjectKind kind) : kind_(kind) {}

 private:
  mutable std::atomic<uint32_t> count_{1};
  const ObjectKind kind_;
};

/// Owns one reference to a T.
template <typename T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  Ref(const Ref& other) : pointer_(other.pointer_) {
    if (pointer_) pointer_->retain();
  }
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  template <typename U>
  Ref(const Ref<U>& other) : pointer_(other.get()) {
    if (pointer_) pointer_->retain();
  }
  template <typename U>
  Ref(Ref<U>&& other) noexcept : pointer_(other.detach()) {}
  ~Ref() {
    if (pointer_) pointer_->release();
  }
  Ref& operator=(Ref other) noexcept {
    std::swap(pointer_, other.pointer_);
    return *this;
  }

  /// Takes over the reference that a new object is born with, or that detach() gave.
  static Ref adopt(T* pointer) {
    Ref result;
    result.pointer_ = pointer;
    return result;
  }
  /// A further reference to an object that somebody else holds.
  static Ref share(T* pointer) {
    if (pointer) pointer->retain();
    return adopt(pointer);
  }

  T* get() const { return pointer_; }
  T* operator->() const { return pointer_; }
  T& operator*() const { return *pointer_; }
  explicit operator bool() const { return pointer_ != nullptr; }
  T* detach() { return std::exchange(pointer_, nullptr); }

 private:
  T* pointer_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace tesselle
