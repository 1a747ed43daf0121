argument; token=$value
fence "$token"
write_beside
flush "$beside" "$parent"
echo ok
