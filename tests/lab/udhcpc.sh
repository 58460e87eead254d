#!/bin/sh
# What the laptop does with its DHCP lease: address, default route, name server. Called by udhcpc(8).
# The lease as the tests read it stays in $RDVLAB_DIR/lease, one name=value per line.
file=$RDVLAB_DIR/lease
case "$1" in
  deconfig)
    ip -4 addr flush dev "$interface"
    ip link set "$interface" up
    [ "$interface" = eth0 ] || exit 0  # the second adapter: the first one's lease stays
    : >/etc/resolv.conf
    rm -f "$file"
    ;;
  bound | renew)
    ip -4 addr replace "$ip/$mask" dev "$interface"
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; done
    for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
    {
      echo "event=$1"
      echo "ip=$ip"
      echo "mask=$mask"
      echo "router=$router"
      echo "dns=$dns"
      echo "seconds=$lease"
    } >"$file.new"
    mv "$file.new" "$file"
    ;;
esac
