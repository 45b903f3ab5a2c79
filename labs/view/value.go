package view

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"wirelab/labs/measure"
	"wirelab/labs/sheet"
)

const (
	// tableRows is how many rows a table shows if the sheet does not say.
	tableRows = 30
	// missing stands where there is no value.
	missing = "–"
	// longest is how many bytes of a text in a table are looked at.
	longest = 400
)

// tableOf draws rows and columns of the sheet's expressions.
func tableOf(v *sheet.View, scope *measure.Scope) (drawing, error) {
	t := &Table{Empty: "The run has no such rows."}
	limit := v.Limit
	if limit == 0 {
		limit = tableRows
	}
	var columns [][]Cell
	rows := -1
	if v.Rows != nil {
		list, err := v.Rows.List(scope)
		if err != nil {
			return nil, fmt.Errorf("rows: %w", err)
		}
		rows = len(list)
	}
	for i := range v.Columns {
		c := &v.Columns[i]
		values, err := c.Cells.List(scope)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Head, err)
		}
		if rows >= 0 && len(values) != rows {
			return nil, fmt.Errorf("column %s: %s for %s", c.Head, plural(len(values), "value"), plural(rows, "row"))
		}
		rows = len(values)
		t.Heads = append(t.Heads, c.Head)
		column := make([]Cell, min(rows, limit))
		for k := range column {
			column[k].Text = written(values[k], c.Unit)
		}
		columns = append(columns, column)
	}
	t.More = max(rows-limit, 0)
	for k := range max(min(rows, limit), 0) {
		row := make([]Cell, len(columns))
		for i := range columns {
			row[i] = columns[i][k]
		}
		t.Rows = append(t.Rows, row)
	}
	t.Right = numbers(len(columns), t.Rows)
	return t, nil
}

// written writes a value of an expression.
func written(v any, unit measure.Unit) string {
	switch v := v.(type) {
	case nil:
		return missing
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		return visible(v[:min(len(v), longest)])
	}
	if f, ok := number(v); ok {
		if math.IsNaN(f) {
			return missing
		}
		return measure.Quantity{Value: f, Unit: unit}.String()
	}
	// A list of values, such as the sequence numbers in a SACK.
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		var parts []string
		for i := range min(r.Len(), 20) {
			parts = append(parts, written(r.Index(i).Interface(), unit))
		}
		if r.Len() > 20 {
			parts = append(parts, "…")
		}
		return strings.Join(parts, ", ")
	}
	return visible(fmt.Sprint(v))
}
