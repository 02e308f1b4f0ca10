#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace tesselle {

/// Which class of tesselle.support.diagnostics an error becomes in Python.
enum class ErrorKind {
  kArtifact,    // a file that cannot be trusted
  kInvocation,  // a call with wrong arguments
  kExecution,   // a program that failed while it ran
  kOption,      // a device string or option that makes no sense
  kSession,     // a call of a session that a failure has left unusable
};

/// The one exception of the runtime. Never thrown through a kernel or out of a worker thread.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

[[noreturn]] inline void fail_artifact(const std::string& message) { throw Error(ErrorKind::kArtifact, message); }
[[noreturn]] inline void fail_execution(const std::string& message) { throw Error(ErrorKind::kExecution, message); }
[[noreturn]] inline void fail_invocation(const std::string& message) { throw Error(ErrorKind::kInvocation, message); }

}  // namespace tesselle
