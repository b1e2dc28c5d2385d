package fail2ban

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const baselineScript = "../../../shared/baseline/harden-freeswitch.sh"

// BenchmarkFilter runs fail2ban-regex with the published baseline's filter and
// with ours over the same 200,000 lines, half of which match, in turns. Times
// hold the start of Python. x-baseline is how many times the baseline's lines a
// second ours reads, x-baseline-cpu the same by processor time, which does not
// see what else this machine does.
func BenchmarkFilter(b *testing.B) {
	program := fail2banRegex(b)[0]
	script, err := os.ReadFile(baselineScript)
	if err != nil {
		b.Skipf("the baseline is not here: %v", err)
	}
	_, text, _ := strings.Cut(string(script), "cat >/etc/fail2ban/filter.d/freeswitch.conf <<'EOF'\n")
	text, _, found := strings.Cut(text, "\nEOF\n")
	if !found {
		b.Fatalf("%s holds no filter", baselineScript)
	}
	baseline, own := temp(b, "baseline.conf", text+"\n"), ownFilter(b)
	const lines = 200_000
	log := longLog(b, lines)
	var wall, cpu [2]time.Duration
	for b.Loop() {
		for i, filter := range []string{baseline, own} {
			cmd := exec.Command(program, "--usedns=no", "-o", "ip", log, filter)
			start := time.Now()
			if out, err := cmd.Output(); err != nil || len(out) == 0 {
				b.Fatalf("%s: %v", filter, err)
			}
			wall[i] += time.Since(start)
			cpu[i] += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
	}
	all := float64(b.N) * lines
	b.ReportMetric(all/wall[0].Seconds(), "baseline-lines/s")
	b.ReportMetric(all/wall[1].Seconds(), "lines/s")
	b.ReportMetric(wall[0].Seconds()/wall[1].Seconds(), "x-baseline")
	b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "x-baseline-cpu")
}

// longLog repeats the lines of the real log: one that counts, one that does not.
func longLog(b *testing.B, lines int) string {
	b.Helper()
	real, err := os.ReadFile(filepath.Join(logs, "freeswitch-1.10.12-attack.log"))
	if err != nil {
		b.Skip(err)
	}
	var hit, miss [][]byte
	for line := range bytes.Lines(real) {
		switch {
		case bytes.Contains(line, []byte("sofia_reg.c:")):
			hit = append(hit, line)
		case bytes.HasSuffix(line, []byte("\n")):
			miss = append(miss, line)
		}
	}
	var text bytes.Buffer
	for i := range lines / 2 {
		text.Write(hit[i%len(hit)])
		text.Write(miss[i%len(miss)])
	}
	return temp(b, "long.log", text.String())
}
