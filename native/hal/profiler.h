#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/ref.h"

namespace tesselle::hal {

/// A run of workgroups of one dispatch on one worker (0: the thread that waits). Times are those of now_ns(). A copy
/// has executable -1, a fill -2; their workgroups are pieces. `is_first`: the run holds workgroup 0.
struct DispatchRecord {
  int32_t executable;
  uint32_t entry;
  int32_t worker;
  int64_t workgroups;
  bool is_first;
  int64_t start_ns;
  int64_t end_ns;
};

/// Collects records while somebody asks for them. Work carries a pointer to it, null when nobody does: then the cost is
/// one comparison per piece of work.
class Profiler : public Object {
 public:
  Profiler() : Object(ObjectKind::kDevice) {}
  void add(const DispatchRecord& record);
  std::vector<DispatchRecord> take();

 private:
  std::mutex mutex_;
  std::vector<DispatchRecord> records_;
};

}  // namespace tesselle::hal
