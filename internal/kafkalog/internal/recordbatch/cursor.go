package recordbatch

import "encoding/binary"

// cursor reads fields from the front of a slice. After a failure it reads zero
// values.
type cursor struct {
	rest   []byte
	failed bool
}

// take returns the next n bytes, as a part of the slice.
func (c *cursor) take(n int64) []byte {
	if c.failed || n < 0 || n > int64(len(c.rest)) {
		c.failed = true
		return nil
	}
	part := c.rest[:n:n]
	c.rest = c.rest[n:]
	return part
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint reads a zigzag number of any size.
func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.rest)
	if c.failed || n <= 0 {
		c.failed = true
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// nullable reads a field with its length before it; a negative one makes it
// nil, 0 empty.
func (c *cursor) nullable() []byte {
	n := c.varint()
	if n < 0 {
		return nil
	}
	return c.take(n)
}

// required reads a field with its length before it.
func (c *cursor) required() []byte { return c.take(c.varint()) }
