#pragma once
#include "core/endpoint_handoff.hpp"
#include "io/asio.hpp"
#include "io/tls_socket.hpp"
#include "wire/messages.hpp"
#include "wire/reasons.hpp"

#include <optional>
#include <string>

namespace tunnel::io {

/// Why a leg could not be made or ended: for the other end, for logs and for people.
struct LegEnd {
  wire::CloseCode code = wire::CloseCode::network;
  std::string text;  ///< more than the code's own sentence says; may be empty
  /// The leg broke and nobody ended the session: it may go on over another leg
  /// (DeviceControl::on_leg_lost). False: this device, the other one or the server wanted the end,
  /// or what came cannot be trusted.
  bool is_lost = false;
};

/// A device's end of one data leg, from the connected socket to the raw inner session (DESIGN 4;
/// the decisions are core::EndpointHandoff's). The outer TLS is read exactly as far as needed;
/// behind our Switch it cannot write any more.
class DataLeg {
 public:
  struct Plan {
    wire::Attach attach;
    wire::Confirm confirm;  ///< what we say of ourselves; `mac` is filled in here
    wire::Role peer_role = wire::Role::onsite;
  };

  /// @param outer, inner  must outlive the leg: they hold what the peers are checked against
  DataLeg(tcp::socket connected, const crypto::TlsContext& outer, const crypto::TlsContext& inner,
          Plan plan);

  /// @param outer  its handshake may be over already
  DataLeg(TlsSocket outer, const crypto::TlsContext& inner, Plan plan);

  /// Attach, inner handshake, Confirm both ways, Switch both ways. No deadline of its own: the
  /// caller races it.
  /// @return nothing when packets may flow over inner() on socket(); otherwise why not, and the leg
  /// is closed
  Task<std::optional<LegEnd>> establish();

  tcp::socket& socket() noexcept { return outer_.socket(); }
  SSL* inner() const noexcept { return inner_.get(); }
  const wire::Confirm& peer() const { return *handoff_.peer(); }
  void close() noexcept { outer_.close(); }

 private:
  Task<std::optional<LegEnd>> start();
  Task<std::optional<LegEnd>> read_outer();
  std::optional<LegEnd> on_outer_frame(const wire::FrameReader::Frame& frame);
  /// Lets the inner TLS go on with what it has; what it wants to send is in `to_send_`.
  std::optional<LegEnd> advance();
  std::optional<LegEnd> shake_hands();
  std::optional<LegEnd> read_inner();
  LegEnd detached(ByteView close_payload) const;
  std::optional<LegEnd> on_inner_frame(const wire::FrameReader::Frame& frame);
  /// Puts what the inner TLS wrote into `inner` frames.
  void collect_inner();
  Task<std::optional<LegEnd>> flush();
  LegEnd outer_failure(error_code ec) const;
  LegEnd inner_failure();
  std::optional<LegEnd> pass_seam();

  TlsSocket outer_;
  crypto::SslHandle inner_;
  Plan plan_;
  core::EndpointHandoff handoff_;
  wire::FrameReader outer_reader_{wire::Channel::data};
  wire::FrameReader inner_reader_{wire::Channel::end_to_end};
  Bytes to_send_;
  bool switch_queued_ = false;
};

}  // namespace tunnel::io
