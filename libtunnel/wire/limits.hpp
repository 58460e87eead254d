#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every length, count, time-out and version of the protocol (docs/PROTOCOL.md). Bytes unless the
/// name says otherwise.
namespace tunnel::wire {

using namespace std::chrono_literals;

// --- versions and names -------------------------------------------------------------------------
inline constexpr std::uint32_t version_min = 1;
inline constexpr std::uint32_t version_max = 1;
inline constexpr char alpn_control[] = "rdv-control/1";
inline constexpr char alpn_data[] = "rdv-data/1";
inline constexpr char alpn_enroll[] = "rdv-enroll/1";
inline constexpr char alpn_end_to_end[] = "rdv-e2e/1";

// --- framing ------------------------------------------------------------------------------------
inline constexpr std::size_t header_bytes = 4;
/// Control and enrolment messages: a Listing of 32 devices is the longest we send.
inline constexpr std::size_t control_payload_bytes_max = 64 * 1024;
/// Inner handshake bytes in one frame of the outer TLS: one TLS record (RFC 8446, 5.1) and its
/// overhead.
inline constexpr std::size_t inner_payload_bytes_max = 16 * 1024 + 512;
/// Inner handshake bytes of one direction in all. ClientHello + certificates + Finished + Confirm
/// are below 8 KiB.
inline constexpr std::size_t inner_handshake_bytes_max = 64 * 1024;
/// virtio_net_hdr (10), in L2 an Ethernet header with at most two VLAN tags, and the longest IP
/// packet.
inline constexpr std::size_t vnet_header_bytes = 10;
inline constexpr std::size_t ethernet_header_bytes = 14;
inline constexpr std::size_t ethernet_header_bytes_max = ethernet_header_bytes + 2 * 4;
inline constexpr std::size_t packet_bytes_max = 65535;
inline constexpr std::size_t packet_payload_bytes_max =
    vnet_header_bytes + ethernet_header_bytes_max + packet_bytes_max;

// --- fields -------------------------------------------------------------------------------------
inline constexpr std::size_t device_name_chars_max = 32;
inline constexpr std::size_t hostname_chars_max = 64;  ///< Linux HOST_NAME_MAX
inline constexpr std::size_t site_chars_max = 128;
inline constexpr std::size_t text_chars_max = 512;     ///< a sentence for a person
inline constexpr std::size_t address_chars_max = 261;  ///< DNS name (253), colon, port
inline constexpr std::size_t nonce_bytes = 32;
inline constexpr std::size_t hash_bytes = 32;           ///< SHA-256
inline constexpr std::size_t signature_bytes_max = 80;  ///< ECDSA P-256, DER
inline constexpr std::size_t csr_bytes_max = 4 * 1024;
inline constexpr std::size_t certificate_bytes_max = 8 * 1024;
inline constexpr std::size_t dns_servers_max = 4;
inline constexpr std::size_t allow_rules_max = 32;
inline constexpr std::size_t listing_devices_max =
    32;  ///< in one Listing frame: fits however long their fields are
inline constexpr std::size_t capabilities_max = 16;
inline constexpr std::size_t held_sessions_max = 4;  ///< in one Hello
inline constexpr std::uint32_t session_seconds_max = 7 * 24 * 3600;

// --- enrolment ----------------------------------------------------------------------------------
inline constexpr std::size_t enrolment_secret_bytes = 16;  ///< 128 bit
inline constexpr std::size_t fingerprint_bytes =
    16;  ///< leading bytes of SHA-256 of the CA certificate
inline constexpr auto enrolment_code_life = 24h;

// --- time-outs ----------------------------------------------------------------------------------
inline constexpr auto client_hello_timeout = 5s;  ///< accept to a whole ClientHello
inline constexpr auto authenticated_timeout =
    10s;  ///< accept to TLS finished and Hello/Attach/Enroll read
inline constexpr auto connect_timeout = 10s;
inline constexpr auto offer_timeout = 10s;    ///< Offer to Accept
inline constexpr auto attach_timeout = 15s;   ///< Grant to both legs attached and switched
inline constexpr auto confirm_timeout = 15s;  ///< device: Grant to Confirm received
inline constexpr auto echo_timeout =
    10s;  ///< device: Confirm to the first echo through the whole path
inline constexpr auto ping_after_min =
    20s;  ///< idle control connection; the server gives the value in Welcome
inline constexpr auto ping_after_max = 300s;
inline constexpr auto pong_timeout = 10s;
inline constexpr auto alive_after = 5s;  ///< inner session: silence before we ask
inline constexpr auto alive_give_up_after =
    10s;  ///< further silence before the session is called lost
/// Inner session: silence while packets of ours are unacknowledged before it is called lost.
inline constexpr auto stall_after = 8s;
inline constexpr auto resume_grace = 10min;  ///< a session without legs is kept so long
/// More than so many Resumes of a device in one minute end its session: devices keep below it.
inline constexpr std::size_t resumes_per_minute_max = 20;
/// A device whose Resume nobody answered says it again: it may have been lost in a server's
/// restart.
inline constexpr auto resume_again = 30s;
inline constexpr auto reconnect_first = 500ms;
inline constexpr auto reconnect_cap = 30s;
// While a device holds an interrupted session, a person waits for it.
inline constexpr auto impatient_reconnect_cap = 1s;
inline constexpr auto impatient_connect_timeout = 2s;
inline constexpr auto impatient_pong_timeout = 3s;
/// KeyUpdate of the inner session (RFC 8446, 5.5 gives 2^24.5 full records for AES-GCM; we stay far
/// below).
inline constexpr std::uint64_t key_update_records = std::uint64_t{1} << 22U;
inline constexpr auto key_update_after = 1h;

// --- tunnel -------------------------------------------------------------------------------------
inline constexpr std::uint32_t tunnel_mtu_bytes = 1500;
inline constexpr std::uint32_t tunnel_pool = 0xC0A88000;  ///< 192.168.128.0
inline constexpr std::uint8_t tunnel_pool_length = 17;

}  // namespace tunnel::wire
