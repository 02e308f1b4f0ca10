#include "cpu/device.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/float_environment.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace tesselle::cpu {
namespace {

// A segment shorter than this costs more to share than to run.
constexpr double kInlineNs = 4000;
// A ticket should take about this long, so that claiming it does not show.
constexpr double kTicketNs = 2000;
constexpr int64_t kPieceBytes = int64_t{256} * 1024;
// Bytes a copy or fill moves in one nanosecond: an order of magnitude, to decide about sharing.
constexpr double kCopyBytesPerNs = 8;
constexpr int64_t kMaxTicketsPerItem = 1 << 16;

/// The workgroups of a command, or the pieces of a copy or fill.
int64_t group_count(const hal::Command& command, const hal::BindingRange* ranges) {
  if (command.kind == hal::CommandKind::kDispatch) return command.grid[0] * command.grid[1] * command.grid[2];
  return (ranges[0].length + kPieceBytes - 1) / kPieceBytes;
}

/// What one workgroup takes, in nanoseconds; negative while nothing is known.
double group_ns(const WorkItem& item) {
  if (item.command->kind != hal::CommandKind::kDispatch) {
    return static_cast<double>(std::min(item.ranges[0].length, kPieceBytes)) / kCopyBytesPerNs;
  }
  const float ticks = item.command->entry().workgroup_ticks.load(std::memory_order_relaxed);
  return ticks > 0 ? ticks / ticks_per_ns() : -1;
}

void run_inline(const WorkItem& item, hal::Profiler* profiler) {
  if (item.command->kind != hal::CommandKind::kDispatch) {
    run_workgroups(item, 0, item.groups, profiler, 0);
    return;
  }
  const uint64_t start = now_ticks();
  run_workgroups(item, 0, item.groups, profiler, 0);
  const auto each = static_cast<float>(now_ticks() - start) / static_cast<float>(item.groups);
  item.command->entry().workgroup_ticks.store(std::max(each, 1.0F), std::memory_order_relaxed);
}

#if defined(__linux__)
/// True when `cpu` is the first hardware thread of its core that is in `set`.
bool is_first_sibling(int cpu, const cpu_set_t& set) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
  int sibling = 0;
  // The list reads "0,8" or "0-1": the first number is enough.
  return !(file >> sibling) || sibling == cpu || !CPU_ISSET(sibling, &set);
}
#endif

std::vector<int> worker_cpus(const DeviceOptions& options) { return options.pin ? usable_cores() : std::vector<int>{}; }

int worker_count(const DeviceOptions& options) {
  if (options.threads > 0) return options.threads - 1;
  return static_cast<int>(usable_cores().size()) - 1;
}

}  // namespace

std::vector<int> usable_cores() {
  std::vector<int> cpus;
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set) && is_first_sibling(cpu, set)) cpus.push_back(cpu);
    }
    // The caller keeps running where it is; workers begin with the next core.
    const auto here = std::find(cpus.begin(), cpus.end(), sched_getcpu());
    if (here != cpus.end()) std::rotate(cpus.begin(), here, cpus.end());
  }
#endif
  if (cpus.empty()) {
    const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    for (int cpu = 0; cpu < count; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

CpuDevice::CpuDevice(const DeviceOptions& options)
    : allocator_(make_ref<hal::Allocator>(options.cache_bytes)),
      pool_(worker_count(options), worker_cpus(options)),
      queue_(std::make_shared<Queue>()) {
  ticks_per_ns();
}

CpuDevice::~CpuDevice() {
  {
    const std::scoped_lock lock(queue_->mutex);
    queue_->stop = true;
  }
  queue_->changed.notify_all();
  if (!queue_thread_.joinable()) return;
  if (queue_thread_.get_id() == std::this_thread::get_id()) {
    queue_thread_.detach();
  } else {
    queue_thread_.join();
  }
}

void CpuDevice::execute(const hal::Submission& submission) {
  [[maybe_unused]] const FloatEnvironment environment;
  const hal::CommandBuffer& commands = submission.commands();
  const auto all = commands.commands();
  hal::Profiler* profiler = submission.profiler();
  // Kept between calls so that a call allocates nothing; empty while nested use is possible.
  thread_local std::vector<WorkItem> kept;
  std::vector<WorkItem> items = std::move(kept);
  for (size_t i = 0; i < all.size();) {
    const uint32_t segment = all[i].segment;
    items.clear();
    for (; i < all.size() && all[i].segment == segment; ++i) {
      const hal::Command& command = all[i];
      WorkItem item;
      item.command = &command;
      item.bindings = submission.addresses() + command.first_binding;
      item.ranges = commands.bindings().data() + command.first_binding;
      item.push = commands.push().data() + command.first_push;
      item.groups = group_count(command, item.ranges);
      if (item.groups > 0) items.push_back(item);
    }
    run_segment(items, profiler);
  }
  kept = std::move(items);
}

void CpuDevice::run_segment(std::span<WorkItem> items, hal::Profiler* profiler) {
  const int threads = pool_.workers() + 1;
  double total_ns = 0;
  int64_t groups = 0;
  bool known = true;
  for (const WorkItem& item : items) {
    const double each = group_ns(item);
    known &= each >= 0;
    total_ns += std::max(each, 0.0) * static_cast<double>(item.groups);
    groups += item.groups;
  }
  bool shared = threads > 1 && groups > 1 && (!known || total_ns >= kInlineNs);
  if (shared) {
    Job job;
    for (WorkItem& item : items) {
      const double each = group_ns(item);
      // At least four tickets a thread where there is enough work, so that the threads end at about the same time.
      const int64_t fair = std::max<int64_t>(1, item.groups / (int64_t{4} * threads));
      const auto wanted = each > 0 ? static_cast<int64_t>(std::min(kTicketNs / each, 1e9)) : fair;
      item.chunk = std::max({int64_t{1}, std::min(wanted, fair), item.groups / kMaxTicketsPerItem});
      item.first_ticket = job.tickets;
      job.tickets += (item.groups + item.chunk - 1) / item.chunk;
    }
    job.items = items;
    job.profiler = profiler;
    shared = job.tickets > 1 && job.tickets <= INT32_MAX && pool_.try_run(job);
  }
  if (!shared) {
    for (const WorkItem& item : items) run_inline(item, profiler);
  }
}

void CpuDevice::enqueue(Ref<hal::Submission> submission) {
  {
    const std::scoped_lock lock(queue_->mutex);
    queue_->submissions.push_back(std::move(submission));
    if (!queue_thread_.joinable()) queue_thread_ = std::thread([queue = queue_] { queue_main(queue); });
  }
  queue_->changed.notify_one();
}

void CpuDevice::queue_main(const std::shared_ptr<Queue>& queue) {
  std::unique_lock lock(queue->mutex);
  while (true) {
    queue->changed.wait(lock, [&] { return queue->stop || !queue->submissions.empty(); });
    if (queue->submissions.empty()) return;
    Ref<hal::Submission> submission = std::move(queue->submissions.front());
    queue->submissions.pop_front();
    lock.unlock();
    // Those who wait may have claimed it since.
    if (submission->try_claim()) submission->run();
    submission = nullptr;
    lock.lock();
  }
}

}  // namespace tesselle::cpu
