package quarantine

// Marked is what Requeue produces.
var Marked = (*Requeuer).marked
