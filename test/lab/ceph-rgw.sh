#!/bin/sh
# Runs inside the container mqbackup-lab/ceph-rgw: one monitor, one OSD on a file, one S3 gateway on port 7480, and a user.
# It knows the storage class STANDARD_IA, and for aws:kms the key lab-key.
#   ceph-rgw.sh USER ACCESS-KEY SECRET-KEY
# Data of a test: it is gone with the container.
set -eu
data=/var/lib/ceph
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >/etc/ceph/ceph.conf <<CONF
[global]
fsid = $fsid
mon host = 127.0.0.1
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data avail crit = 1
mon osd full ratio = 0.99
ms bind ipv6 = false
osd objectstore = bluestore
bluestore block size = 16106127360
bluestore block create = true
osd memory target = 939524096
bluestore cache size = 67108864
rgw frontends = beast port=7480
rgw dns name = localhost
rgw gc obj min wait = 1
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = lab-key=bXFiYWNrdXAgbGFiIGtleSBvZiAzMiBieXRlcyAhISE=
log to stderr = true
err to stderr = true
log file = /dev/null
mon cluster log file = /dev/null
CONF
mkdir -p $data/mon/ceph-a $data/osd/ceph-0 $data/mgr/ceph-a $data/radosgw/ceph-rgw.a /run/ceph
monmaptool --create --clobber --add a 127.0.0.1:6789 --fsid "$fsid" /tmp/monmap >/dev/null
ceph-mon --mkfs -i a --monmap /tmp/monmap
ceph-mon -i a -f &
until ceph --connect-timeout 5 mon stat >/dev/null 2>&1; do sleep 0.2; done
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd" >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$osd"
# It may come up before the monitor knows it, and give up.
until ceph-osd -i 0 -f; do sleep 0.2; done &
ceph osd crush add 0 1 root=default host=lab >/dev/null
ceph-mgr -i a -f &
until ceph osd stat | grep -q ' 1 up'; do sleep 0.2; done
radosgw-admin user create --uid="$1" --display-name="$1" --access-key="$2" --secret-key="$3" >/dev/null
placement="--placement-id default-placement --storage-class STANDARD_IA"
radosgw-admin zonegroup placement add --rgw-zonegroup default $placement >/dev/null
radosgw-admin zone placement add --rgw-zone default $placement --data-pool lab.infrequent >/dev/null
radosgw -n client.rgw.a -f &
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/7480' 2>/dev/null; do sleep 0.2; done
echo "S3 gateway is ready"
wait
