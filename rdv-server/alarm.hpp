#pragma once
#include <string>
#include <utility>

namespace rdv {

/// Something that the administrator must act on, from its first failure until it works again. Pure.
class Alarm {
 public:
  /// It failed. @return true when it worked before: then say so, once
  bool raise(std::string why) {
    const bool is_new = why_.empty();
    why_ = std::move(why);
    return is_new;
  }
  /// It works. @return true when it did not before
  bool clear() { return !std::exchange(why_, {}).empty(); }

  const std::string& why() const { return why_; }  ///< "": it works

 private:
  std::string why_;
};

}  // namespace rdv
