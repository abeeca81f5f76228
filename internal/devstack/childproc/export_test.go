package childproc

// Reserve takes a port from other processes.
var Reserve = reserve
