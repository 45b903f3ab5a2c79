package sheet

// A part of a template is literal text, or an expression to put in.
type part struct {
	text string
}
