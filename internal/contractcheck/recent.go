package contractcheck

// recent remembers the entries used last, at most a given number and at least
// half of it. It has two generations: when the young one is full, the old one is
// forgotten. That takes no list of who came when.
type recent[K comparable, V any] struct {
	most       int
	young, old map[K]V
	forgotten  int64
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, young: map[K]V{}}
}

// get finds an entry, which counts as a use of it.
func (r *recent[K, V]) get(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	if ok {
		r.put(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	delete(r.old, k)
	r.young[k] = v
	if len(r.young) > r.most/2 {
		r.forgotten += int64(len(r.old))
		r.old, r.young = r.young, map[K]V{}
	}
}

// each calls f for all that is remembered, in no order.
func (r *recent[K, V]) each(f func(V)) {
	for _, v := range r.young {
		f(v)
	}
	for _, v := range r.old {
		f(v)
	}
}
