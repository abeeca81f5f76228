//go:build race

package recordbatch_test

// bombSize is smaller under the race detector, which makes compression some
// ten times slower. It is still more than the memory that the test allows.
const bombSize = 48 << 20
