package image

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// guestFolder is the embedded folder with a file in the guest's place.
func guestFolder(packed []byte) fstest.MapFS {
	return fstest.MapFS{"guest/README.md": {}, "guest/" + Name: {Data: packed}}
}

func TestPackedGuestComesOutAgain(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{0, 1, 100, 1 << 20} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(r.IntN(9))
		}
		packed, err := Pack(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(guestFolder(packed)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("seed %d: unpack(Pack(%d bytes)) = %d bytes, %v", seed, n, len(got), err)
		}
		if again, _ := Pack(want); !bytes.Equal(again, packed) {
			t.Errorf("seed %d: Pack(%d bytes) twice differs", seed, n)
		}
	}
}

func TestProgramWithoutGuestSaysHowToGetIt(t *testing.T) {
	_, err := unpack(fstest.MapFS{"guest/README.md": {}})
	if !errors.Is(err, ErrMissing) {
		t.Fatalf("unpack without a guest: %v, want ErrMissing", err)
	}
	if s := err.Error(); !strings.Contains(s, "make build") || strings.Contains(s, "\n") {
		t.Errorf("ErrMissing = %q, want one line that names `make build`", s)
	}
}

func TestDamagedGuestIsNoMissingOne(t *testing.T) {
	packed, err := Pack([]byte(strings.Repeat("guest", 1000)))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(packed)
	damaged[len(damaged)/2] ^= 0x10
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"empty", nil},
		{"not gzip", []byte("\x00asm\x01\x00\x00\x00")},
		{"cut off", packed[:len(packed)-5]},
		{"flipped bit", damaged},
	} {
		if _, err := unpack(guestFolder(tt.in)); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("%s: unpack = %v, want what is wrong with it", tt.name, err)
		}
	}
}

// What is embedded, if anything, is a WebAssembly module.
func TestGuest(t *testing.T) {
	wasm, err := Guest()
	if errors.Is(err, ErrMissing) {
		if _, err := os.Stat("guest/" + Name); err == nil {
			t.Error("the folder has the guest, and Guest says that it is missing")
		}
		t.Skip("no guest was built")
	}
	if err != nil || !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		t.Errorf("Guest() = %d bytes, %v, want a WebAssembly module", len(wasm), err)
	}
}
