// Package watch tells followers of executions what changes: states, and log lines.
//
// A Hub serves all followers of a process. It looks at what all of them follow
// together, in one read, so that a hundred followers of a hundred runs cost what
// one does; where nobody follows anything it rests.
//
//	hub.go    who follows what, and when is looked
//	look.go   one look: Redis first, PostgreSQL for the rest and as a check
//	picture.go  the newest known state of an execution, and what takes its place
//	watch.go  one follower
//	token.go  what a follower has been told, as a text to go on from
//	lines.go  the log lines of a run, each once, in the order in which they came
//
// What a follower is told was in PostgreSQL at a moment after he asked. A state
// from Redis is told only if, asked after it was read, PostgreSQL is the cluster, on
// the timeline, and past the position that Redis had its content from: an
// asynchronous failover or a restored backup may have taken rows away whose states
// Redis still shows. And what one follower is told only rises, in the order of
// redisstore.Version: where PostgreSQL itself went back he is told that, by ErrLost.
//
// The package knows no wire: package api does.
package watch
