//go:build !race

package recordbatch_test

const bombSize = 200 << 20
