#include "vm/interpreter.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "vm/arithmetic.h"

namespace tesselle::vm {
namespace {

using namespace arithmetic;

/// A 64-bit immediate: low word first.
uint64_t wide(const uint32_t* w) { return w[0] | uint64_t{w[1]} << 32; }

/// Fails with a message in which {i} stands for element i of a list of registers.
[[noreturn]] void fail_with_values(bool is_argument, const std::string& message, const uint32_t* list,
                                   const Slot* regs) {
  std::string text;
  size_t at = 0;
  while (at < message.size()) {
    size_t end = at + 1;
    uint64_t index = 0;
    while (message[at] == '{' && end < message.size() && end - at <= 4 && message[end] >= '0' && message[end] <= '9') {
      index = index * 10 + static_cast<uint64_t>(message[end++] - '0');
    }
    if (end > at + 1 && end < message.size() && message[end] == '}' && index < list[0]) {
      text += std::to_string(regs[list[1 + index]].i64);
      at = end + 1;
    } else {
      text += message[at++];
    }
  }
  if (is_argument) fail_invocation(text);
  fail_execution(text);
}

}  // namespace

// In every case below `w` is the instruction's first word; results come before operands (see vm_isa.py).
#define TESSELLE_BINARY(OPCODE, FIELD, RESULT, EXPRESSION) \
  case Opcode::OPCODE: {                                   \
    const auto a = regs[w[2]].FIELD;                       \
    const auto b = regs[w[3]].FIELD;                       \
    regs[w[1]].RESULT = EXPRESSION;                        \
    break;                                                 \
  }
#define TESSELLE_INTEGER(NAME, EXPRESSION)          \
  TESSELLE_BINARY(NAME##_I32, i32, i32, EXPRESSION) \
  TESSELLE_BINARY(NAME##_I64, i64, i64, EXPRESSION)
#define TESSELLE_INTEGER_COMPARE(NAME, EXPRESSION)        \
  TESSELLE_BINARY(CMP_##NAME##_I32, i32, i32, EXPRESSION) \
  TESSELLE_BINARY(CMP_##NAME##_I64, i64, i32, EXPRESSION)
#define TESSELLE_FLOAT(NAME, EXPRESSION)            \
  TESSELLE_BINARY(NAME##_F32, f32, f32, EXPRESSION) \
  TESSELLE_BINARY(NAME##_F64, f64, f64, EXPRESSION)
#define TESSELLE_FLOAT_COMPARE(NAME, EXPRESSION)          \
  TESSELLE_BINARY(CMP_##NAME##_F32, f32, i32, EXPRESSION) \
  TESSELLE_BINARY(CMP_##NAME##_F64, f64, i32, EXPRESSION)
#define TESSELLE_UNARY(OPCODE, FIELD, RESULT, EXPRESSION) \
  case Opcode::OPCODE: {                                  \
    const auto a = regs[w[2]].FIELD;                      \
    regs[w[1]].RESULT = EXPRESSION;                       \
    break;                                                \
  }
#define TESSELLE_FLOAT_UNARY(NAME, EXPRESSION)     \
  TESSELLE_UNARY(NAME##_F32, f32, f32, EXPRESSION) \
  TESSELLE_UNARY(NAME##_F64, f64, f64, EXPRESSION)
#define TESSELLE_EACH_NUMBER(MACRO) \
  MACRO(I32, i32)                   \
  MACRO(I64, i64)                   \
  MACRO(F32, f32)                   \
  MACRO(F64, f64)
#define TESSELLE_CONVERT(INTEGER, I, SIGNED, UNSIGNED)                                             \
  TESSELLE_UNARY(CONVERT_S_##INTEGER##_F32, I, f32, static_cast<float>(a))                         \
  TESSELLE_UNARY(CONVERT_S_##INTEGER##_F64, I, f64, static_cast<double>(a))                        \
  TESSELLE_UNARY(CONVERT_U_##INTEGER##_F32, I, f32, static_cast<float>(static_cast<UNSIGNED>(a)))  \
  TESSELLE_UNARY(CONVERT_U_##INTEGER##_F64, I, f64, static_cast<double>(static_cast<UNSIGNED>(a))) \
  TESSELLE_UNARY(CONVERT_S_F32_##INTEGER, f32, I, to_integer<SIGNED>(a))                           \
  TESSELLE_UNARY(CONVERT_S_F64_##INTEGER, f64, I, to_integer<SIGNED>(a))                           \
  TESSELLE_UNARY(CONVERT_U_F32_##INTEGER, f32, I, static_cast<SIGNED>(to_integer<UNSIGNED>(a)))    \
  TESSELLE_UNARY(CONVERT_U_F64_##INTEGER, f64, I, static_cast<SIGNED>(to_integer<UNSIGNED>(a)))

Status Interpreter::run(int64_t& steps) {
  Invocation& call = invocation_;
  Session& session = *call.session_;
  const Module& module = program().module();
  const uint32_t* code = nullptr;
  const uint32_t* pc = nullptr;
  Slot* regs = nullptr;
  // After a call or return: the top frame becomes the current one.
  const auto enter = [&] {
    const auto& frame = call.frames_.back();
    code = frame.function->code.data();
    pc = frame.pc;
    regs = call.stack_.data() + frame.base;
  };
  enter();

  while (true) {
    const uint32_t* const w = pc;
    const auto opcode = static_cast<Opcode>(w[0] & 0xFFFF);
    pc += w[0] >> 16;
    switch (opcode) {
      case Opcode::BR:
      case Opcode::COND_BR:
        pc = code + (opcode == Opcode::BR ? w[1] : regs[w[1]].i32 != 0 ? w[2] : w[3]);
        // Only jumps and calls can make a program endless, so only they count.
        if (--steps <= 0) {
          call.frames_.back().pc = pc;
          return Status::kPreempted;
        }
        break;
      case Opcode::CALL: {
        if (--steps <= 0) {
          call.frames_.back().pc = w;
          return Status::kPreempted;
        }
        const uint32_t* results = w + 1;
        const uint32_t* callee_word = results + 1 + results[0];
        const uint32_t* arguments = callee_word + 1;
        const Function& callee = module.functions[*callee_word];
        call.frames_.back().pc = pc;
        const size_t caller_base = call.frames_.back().base;
        call.push_frame(callee, results);
        enter();
        for (uint32_t i = 0; i < arguments[0]; ++i) {
          regs[i] = call.stack_[caller_base + arguments[1 + i]];
          if (callee.registers[i] == RegisterType::kRef && regs[i].ref) regs[i].ref->retain();
        }
        break;
      }
      case Opcode::RETURN: {
        const uint32_t* values = w + 1;
        const auto frame = call.frames_.back();
        const auto& types = frame.function->results;
        const auto take = [&](uint32_t i) {
          const Slot value = regs[values[1 + i]];
          if (types[i] == RegisterType::kRef && value.ref) value.ref->retain();
          return value;
        };
        if (!frame.result_list) {
          for (uint32_t i = 0; i < values[0]; ++i) call.results_.push_back(take(i));
          call.pop_frame();
          return Status::kDone;
        }
        Slot* caller = call.stack_.data() + call.frames_[call.frames_.size() - 2].base;
        for (uint32_t i = 0; i < values[0]; ++i) {
          const Slot value = take(i);
          Slot& target = caller[frame.result_list[1 + i]];
          if (types[i] == RegisterType::kRef) {
            assign(target, value.ref);
          } else {
            target = value;
          }
        }
        call.pop_frame();
        enter();
        break;
      }
      case Opcode::YIELD:
        call.frames_.back().pc = pc;
        return Status::kYielded;
      case Opcode::FAIL:
        fail_execution(module.strings[w[1]]);
      case Opcode::COND_FAIL:
        if (regs[w[1]].i32 != 0) fail_execution(module.strings[w[2]]);
        break;
      case Opcode::COND_FAIL_VALUES:
        if (regs[w[1]].i32 != 0) fail_with_values(w[2] != 0, module.strings[w[3]], w + 4, regs);
        break;

      case Opcode::CONST_I32:
      case Opcode::CONST_F32:
        regs[w[1]].bits = w[2];
        break;
      case Opcode::CONST_I64:
      case Opcode::CONST_F64:
        regs[w[1]].bits = wide(w + 2);
        break;
      case Opcode::CONST_REF_NULL:
        assign(regs[w[1]], nullptr);
        break;
      case Opcode::MOV_REF:
      case Opcode::SELECT_REF: {
        const uint32_t source = opcode == Opcode::MOV_REF ? w[2] : regs[w[2]].i32 != 0 ? w[3] : w[4];
        Object* object = regs[source].ref;
        if (object) object->retain();
        assign(regs[w[1]], object);
        break;
      }
#define TESSELLE_MOVES(TYPE, FIELD)                                               \
  case Opcode::MOV_##TYPE:                                                        \
    regs[w[1]].FIELD = regs[w[2]].FIELD;                                          \
    break;                                                                        \
  case Opcode::SELECT_##TYPE:                                                     \
    regs[w[1]].FIELD = regs[w[2]].i32 != 0 ? regs[w[3]].FIELD : regs[w[4]].FIELD; \
    break;                                                                        \
  case Opcode::GLOBAL_LOAD_##TYPE:                                                \
    regs[w[1]].bits = session.load(w[2]);                                         \
    break;                                                                        \
  case Opcode::GLOBAL_STORE_##TYPE:                                               \
    session.store(w[1], regs[w[2]].bits);                                         \
    break;
        TESSELLE_EACH_NUMBER(TESSELLE_MOVES)
      case Opcode::GLOBAL_LOAD_REF:
        assign(regs[w[1]], session.load_reference(w[2]));
        break;
      case Opcode::GLOBAL_STORE_REF:
        call.has_effects_ |= session.store_reference(w[1], regs[w[2]].ref);
        break;

        TESSELLE_INTEGER(ADD, add(a, b))
        TESSELLE_INTEGER(SUB, sub(a, b))
        TESSELLE_INTEGER(MUL, mul(a, b))
        TESSELLE_INTEGER(DIV_S, div_s(a, b))
        TESSELLE_INTEGER(DIV_U, div_u(a, b))
        TESSELLE_INTEGER(REM_S, rem_s(a, b))
        TESSELLE_INTEGER(REM_U, rem_u(a, b))
        TESSELLE_INTEGER(AND, a & b)
        TESSELLE_INTEGER(OR, a | b)
        TESSELLE_INTEGER(XOR, a ^ b)
        TESSELLE_INTEGER(SHL, shl(a, b))
        TESSELLE_INTEGER(SHR_S, shr_s(a, b))
        TESSELLE_INTEGER(SHR_U, shr_u(a, b))
        TESSELLE_INTEGER(MIN_S, std::min(a, b))
        TESSELLE_INTEGER(MAX_S, std::max(a, b))
        TESSELLE_INTEGER(MIN_U, min_u(a, b))
        TESSELLE_INTEGER(MAX_U, max_u(a, b))
        TESSELLE_INTEGER_COMPARE(EQ, a == b)
        TESSELLE_INTEGER_COMPARE(NE, a != b)
        TESSELLE_INTEGER_COMPARE(LT_S, a < b)
        TESSELLE_INTEGER_COMPARE(LE_S, a <= b)
        TESSELLE_INTEGER_COMPARE(LT_U, a != b && min_u(a, b) == a)
        TESSELLE_INTEGER_COMPARE(LE_U, min_u(a, b) == a)

        TESSELLE_FLOAT(ADD, a + b)
        TESSELLE_FLOAT(SUB, a - b)
        TESSELLE_FLOAT(MUL, a * b)
        TESSELLE_FLOAT(DIV, a / b)
        TESSELLE_FLOAT(MIN, min_f(a, b))
        TESSELLE_FLOAT(MAX, max_f(a, b))
        TESSELLE_FLOAT(REM, std::fmod(a, b))
        TESSELLE_FLOAT(POW, std::pow(a, b))
        TESSELLE_FLOAT_UNARY(NEG, -a)
        TESSELLE_FLOAT_UNARY(ABS, std::fabs(a))
        TESSELLE_FLOAT_UNARY(FLOOR, std::floor(a))
        TESSELLE_FLOAT_UNARY(CEIL, std::ceil(a))
        TESSELLE_FLOAT_UNARY(SQRT, std::sqrt(a))
        TESSELLE_FLOAT_COMPARE(EQ, a == b)
        TESSELLE_FLOAT_COMPARE(NE, a != b)
        TESSELLE_FLOAT_COMPARE(LT, a < b)
        TESSELLE_FLOAT_COMPARE(LE, a <= b)

        TESSELLE_UNARY(EXT_S_I32_I64, i32, i64, a)
        TESSELLE_UNARY(EXT_U_I32_I64, i32, i64, static_cast<uint32_t>(a))
        TESSELLE_UNARY(TRUNC_I64_I32, i64, i32, static_cast<int32_t>(a))
        TESSELLE_UNARY(EXT_F32_F64, f32, f64, static_cast<double>(a))
        TESSELLE_UNARY(TRUNC_F64_F32, f64, f32, static_cast<float>(a))
        TESSELLE_CONVERT(I32, i32, int32_t, uint32_t)
        TESSELLE_CONVERT(I64, i64, int64_t, uint64_t)
        TESSELLE_UNARY(BITCAST_I32_F32, i32, f32, bits<float>(a))
        TESSELLE_UNARY(BITCAST_F32_I32, f32, i32, bits<int32_t>(a))
        TESSELLE_UNARY(BITCAST_I64_F64, i64, f64, bits<double>(a))
        TESSELLE_UNARY(BITCAST_F64_I64, f64, i64, bits<int64_t>(a))

      default:
        if (hal(opcode, w, regs)) {
          // It waits: the same instruction again, when the call is resumed.
          call.frames_.back().pc = w;
          return Status::kWaiting;
        }
        break;
    }
  }
}

}  // namespace tesselle::vm
