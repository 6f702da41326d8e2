# The backend is stopped and started between the two halves; the host says when it has come back.
verified --name=before --filename=/dev/vda --offset_increment=16M --size=8M --rw=randwrite --end_fsync=1
echo "FIRST-HALF-DONE"
read -r answer
check "the answer of the host" go-on "$answer"
verified --name=before --filename=/dev/vda --offset_increment=16M --size=8M --rw=randwrite --verify_only=1
verified --name=after --filename=/dev/vda --offset=8M --offset_increment=16M --size=8M --rw=randwrite --end_fsync=1
