package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// confirm asks whoever sits at the terminal whether to go on. Without a terminal
// there is nobody to ask, and the answer is no.
func confirm(in io.Reader, out io.Writer, what string) error {
	if !isTerminal(in) {
		return &statusError{exitError, fmt.Errorf("%s Nobody can be asked here: add --yes to do it", what)}
	}
	if _, err := fmt.Fprintf(out, "%s\nType yes to go on: ", what); err != nil {
		return err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != "yes" {
		return &statusError{exitError, errors.New("not confirmed; nothing was changed")}
	}
	return nil
}

func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && isTerminalFile(f)
}

func isTerminalFile(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
