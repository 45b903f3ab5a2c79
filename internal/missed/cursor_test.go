package missed

import "testing"

func TestKey(t *testing.T) {
	for _, c := range []struct {
		key  Key
		want string
	}{{Key{Room: "lobby"}, `"lobby"`}, {Key{"games", "lobby"}, `"lobby" in "games"`}} {
		if got := c.key.String(); got != c.want {
			t.Errorf("String() = %s, want %s", got, c.want)
		}
	}
	for _, c := range []struct {
		reason Reason
		want   string
	}{{ReasonNone, ""}, {ReasonEpoch, "epoch"}, {ReasonExpired, "expired"}, {ReasonOverflow, "overflow"}, {ReasonDamaged, "damaged"}, {9, "reason 9"}} {
		if got := c.reason.String(); got != c.want {
			t.Errorf("String() = %s, want %s", got, c.want)
		}
	}
}
