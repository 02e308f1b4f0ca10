#include "cpu/worker_pool.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/float_environment.h"
#include "base/futex.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace tesselle::cpu {
namespace {

// About 50 µs: longer than the pauses inside a program, shorter than what would be felt as wasted power.
constexpr int kIdleSpins = 4000;
constexpr int kCallerSpins = 4000;

constexpr uint64_t make_word(uint32_t epoch, uint32_t left) { return uint64_t{epoch} << 32 | left; }
constexpr uint32_t left_of(uint64_t word) { return static_cast<uint32_t>(word); }

/// Scratch memory of this thread for kernels; grows, and is kept until the thread ends.
class LocalMemory {
 public:
  ~LocalMemory() { std::free(data_); }
  void* get(int64_t size) {
    if (size > size_) {
      std::free(data_);
      const auto rounded = (static_cast<size_t>(size) + 63) / 64 * 64;
      data_ = std::aligned_alloc(64, rounded);
      // The image verifier bounds this size; when even that cannot be had there is no way to go on.
      if (!data_) std::abort();
      size_ = size;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  int64_t size_ = 0;
};

thread_local LocalMemory local_memory;

void run_dispatch(const WorkItem& item, int64_t begin, int64_t end) {
  const hal::Command& command = *item.command;
  const hal::Entry& entry = command.entry();
  void* local = entry.local_memory_bytes > 0 ? local_memory.get(entry.local_memory_bytes) : nullptr;
  const int64_t nx = command.grid[0];
  const int64_t ny = command.grid[1];
  int64_t x = begin % nx;
  int64_t y = begin / nx % ny;
  int64_t z = begin / nx / ny;
  for (int64_t i = begin; i < end; ++i) {
    entry.function(item.bindings, item.push, x, y, z, local);
    if (++x == nx) {
      x = 0;
      if (++y == ny) {
        y = 0;
        ++z;
      }
    }
  }
}

/// Bytes of a copy or fill that make one piece.
constexpr int64_t kPieceBytes = int64_t{256} * 1024;

void run_copy(const WorkItem& item, int64_t begin, int64_t end) {
  const int64_t from = begin * kPieceBytes;
  const int64_t to = std::min(end * kPieceBytes, item.ranges[0].length);
  std::memcpy(static_cast<std::byte*>(item.bindings[1]) + from, static_cast<std::byte*>(item.bindings[0]) + from,
              static_cast<size_t>(to - from));
}

void run_fill(const WorkItem& item, int64_t begin, int64_t end) {
  const hal::Command& command = *item.command;
  const int64_t from = begin * kPieceBytes;
  const int64_t to = std::min(end * kPieceBytes, item.ranges[0].length);
  auto* data = static_cast<std::byte*>(item.bindings[0]) + from;
  const auto size = static_cast<size_t>(to - from);
  const size_t step = command.pattern_bytes;
  const auto low_byte = static_cast<int>(command.pattern & 0xFF);
  bool uniform = true;
  for (size_t i = 1; i < step; ++i) uniform &= static_cast<int>(command.pattern >> (8 * i) & 0xFF) == low_byte;
  if (uniform) {
    std::memset(data, low_byte, size);
    return;
  }
  // Double what is filled already; pieces begin at multiples of every pattern size.
  std::memcpy(data, &command.pattern, std::min(step, size));
  for (size_t filled = step; filled < size; filled *= 2) {
    std::memcpy(data + filled, data, std::min(filled, size - filled));
  }
}

#if defined(__linux__)
void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  // Failing is fine (a container may forbid it): then the scheduler places the thread.
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}
#else
void pin_to(int) {}
#endif

}  // namespace

void run_workgroups(const WorkItem& item, int64_t begin, int64_t end, hal::Profiler* profiler, int worker) {
  const int64_t start_ns = profiler ? now_ns() : 0;
  switch (item.command->kind) {
    case hal::CommandKind::kDispatch:
      run_dispatch(item, begin, end);
      break;
    case hal::CommandKind::kCopy:
      run_copy(item, begin, end);
      break;
    case hal::CommandKind::kFill:
      run_fill(item, begin, end);
      break;
  }
  if (profiler) {
    const hal::Command& command = *item.command;
    const int executable = command.kind == hal::CommandKind::kDispatch ? command.executable->index()
                           : command.kind == hal::CommandKind::kCopy   ? -1
                                                                       : -2;
    profiler->add({executable, command.entry_index, worker, end - begin, begin == 0, start_ns, now_ns()});
  }
}

WorkerPool::WorkerPool(int workers, std::vector<int> cpus) : owner_(getpid()) {
  for (int i = 1; i <= workers; ++i) {
    const int cpu = cpus.empty() ? -1 : cpus[static_cast<size_t>(i) % cpus.size()];
    threads_.emplace_back([this, i, cpu] {
      if (cpu >= 0) pin_to(cpu);
      worker_main(i);
    });
  }
}

WorkerPool::~WorkerPool() {
  if (getpid() != owner_) {
    // A fork has no workers; joining threads that only the parent has would never return.
    for (std::thread& thread : threads_) thread.detach();
    return;
  }
  stop_.store(true);
  wake_sequence_.fetch_add(1);
  futex_wake(wake_sequence_, workers());
  for (std::thread& thread : threads_) thread.join();
}

WorkerPool::Share WorkerPool::work(uint64_t word, int worker) {
  Share share;
  while (left_of(word) > 0) {
    // Left counts down inside one epoch; the exchange fails when the job has changed in between.
    if (!word_.compare_exchange_weak(word, word - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    const Job& job = *job_.load(std::memory_order_relaxed);
    share.tickets = job.tickets;
    const int64_t ticket = job.tickets - left_of(word);
    auto item = std::upper_bound(job.items.begin(), job.items.end(), ticket,
                                 [](int64_t t, const WorkItem& i) { return t < i.first_ticket; }) -
                1;
    const int64_t begin = (ticket - item->first_ticket) * item->chunk;
    const int64_t end = std::min(begin + item->chunk, item->groups);
    if (worker == 0 && item->command->kind == hal::CommandKind::kDispatch) {
      const uint64_t start = now_ticks();
      run_workgroups(*item, begin, end, job.profiler, worker);
      const auto each = static_cast<float>(now_ticks() - start) / static_cast<float>(end - begin);
      item->command->entry().workgroup_ticks.store(each, std::memory_order_relaxed);
    } else {
      run_workgroups(*item, begin, end, job.profiler, worker);
    }
    ++share.done;
    word = word_.load(std::memory_order_acquire);
  }
  return share;
}

void WorkerPool::finish(const Share& share) {
  // After this addition the job may be gone: only members of the pool are touched.
  const auto before = done_.fetch_add(static_cast<uint32_t>(share.done), std::memory_order_seq_cst);
  if (before + share.done == share.tickets && caller_sleeps_.load(std::memory_order_seq_cst)) futex_wake(done_, 1);
}

bool WorkerPool::try_run(const Job& job) {
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  job_.store(&job, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  word_.store(make_word(++epoch_, static_cast<uint32_t>(job.tickets)), std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    wake_sequence_.fetch_add(1);
    futex_wake(wake_sequence_, static_cast<int>(std::min<int64_t>(job.tickets - 1, workers())));
  }
  const auto tickets = static_cast<uint32_t>(job.tickets);
  const Share mine = work(word_.load(std::memory_order_acquire), 0);
  done_.fetch_add(static_cast<uint32_t>(mine.done), std::memory_order_acq_rel);
  for (int spin = 0; done_.load(std::memory_order_acquire) != tickets && spin < kCallerSpins; ++spin) spin_pause();
  if (done_.load(std::memory_order_acquire) != tickets) {
    caller_sleeps_.store(true, std::memory_order_seq_cst);
    for (uint32_t done = done_.load(std::memory_order_seq_cst); done != tickets; done = done_.load()) {
      futex_wait(done_, done);
    }
    caller_sleeps_.store(false, std::memory_order_relaxed);
  }
  busy_.store(false, std::memory_order_release);
  return true;
}

void WorkerPool::wait_for_work(uint64_t seen) {
  for (int spin = 0; spin < kIdleSpins; ++spin) {
    if (word_.load(std::memory_order_acquire) != seen || stop_.load(std::memory_order_relaxed)) return;
    spin_pause();
  }
  const uint32_t sequence = wake_sequence_.load(std::memory_order_seq_cst);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  if (word_.load(std::memory_order_seq_cst) == seen && !stop_.load(std::memory_order_seq_cst)) {
    futex_wait(wake_sequence_, sequence);
  }
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

void WorkerPool::worker_main(int worker) {
  [[maybe_unused]] const FloatEnvironment environment;
  while (!stop_.load(std::memory_order_relaxed)) {
    const uint64_t word = word_.load(std::memory_order_acquire);
    if (left_of(word) == 0) {
      wait_for_work(word);
      continue;
    }
    const Share share = work(word, worker);
    if (share.done > 0) finish(share);
  }
}

}  // namespace tesselle::cpu
