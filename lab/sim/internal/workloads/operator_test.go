package workloads

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func pod(uid, node string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}, Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: phase},
	}
}

func TestChoosePod(t *testing.T) {
	t.Parallel()

	leaving := pod("c", "n3", corev1.PodRunning)
	leaving.DeletionTimestamp = &metav1.Time{}

	running := []any{pod("b", "n2", corev1.PodRunning), pod("a", "n1", corev1.PodRunning), pod("p", "n0", corev1.PodPending), leaving}

	if got := choose(running, ""); got != "n1/a" {
		t.Errorf("first choice %q", got)
	}

	if got := choose(running, "n2/b"); got != "n2/b" {
		t.Errorf("a running pod was given up for %q", got)
	}

	if got := choose(running, "n3/c"); got != "n1/a" {
		t.Errorf("a pod that is being deleted was kept, got %q", got)
	}

	if got := choose(nil, "n1/a"); got != "" {
		t.Errorf("chose %q where nothing runs", got)
	}
}

func TestConfigFolderIsExact(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "config")

	if err := writeConfig(dir, map[string]string{"old": "1", "debug": "false"}); err != nil {
		t.Fatal(err)
	}

	if err := writeConfig(dir, map[string]string{"debug": "true"}); err != nil {
		t.Fatal(err)
	}

	data, err := os.ReadFile(filepath.Join(dir, "debug"))
	if err != nil || string(data) != "true" {
		t.Errorf("debug is %q, %v", data, err)
	}

	if _, err := os.Stat(filepath.Join(dir, "old")); !os.IsNotExist(err) {
		t.Errorf("a key that is gone is still there: %v", err)
	}

	err = writeConfig(dir, map[string]string{"../x": "1"})
	if err == nil || err.Error() != `configuration key "../x" is no file name` {
		t.Errorf("got %v", err)
	}
}
