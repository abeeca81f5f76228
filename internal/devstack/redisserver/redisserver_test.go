package redisserver_test

import (
	"io"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/redisserver"
)

func TestObtainTwiceIsTheSame(t *testing.T) {
	t.Parallel()
	first, err := redisserver.Obtain(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	second, err := redisserver.Obtain(t.Context(), io.Discard)
	if err != nil || first != second {
		t.Errorf("got %v, %v; want %v", second, err, first)
	}
}
