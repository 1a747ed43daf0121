argument; token=$value
fence "$token"
write_beside
flush "$parent"
echo ok
