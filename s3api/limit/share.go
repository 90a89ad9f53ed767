package limit

import "math"

// split returns the share of the limit that each node has, of which demands says what was asked of
// it. If all together asked for less than there is, each has what it asked for and an even part of
// the rest; else each has a part in proportion. The shares together are what there is.
//
// reserved is how many nodes more there are that could not be asked and may be taking their part: an
// even one is left for each.
func split(limit float64, demands []float64, reserved int) []float64 {
	n := float64(len(demands))
	there := limit * n / (n + float64(reserved))
	asked := 0.0
	for _, d := range demands {
		asked += d
	}
	out := make([]float64, len(demands))
	for i, d := range demands {
		if asked <= there {
			out[i] = d + (there-asked)/n
		} else {
			out[i] = there * d / asked
		}
	}
	return out
}

// whole makes shares whole numbers with the same sum, rounded down. Every node that has the same
// shares gets the same ones.
func whole(shares []float64) []float64 {
	const tiny = 1e-9 // More than the error of the sums.
	out := make([]float64, len(shares))
	sum, before := 0.0, 0.0
	for i, s := range shares {
		sum += s
		up := math.Floor(sum + tiny)
		out[i], before = up-before, up
	}
	return out
}
