# bash completion of tcda: source <(tcda completion bash)
_tcda() {
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}") word IFS=$'\n'
	COMPREPLY=()
	while IFS=$'\t' read -r word _; do
		COMPREPLY+=("$word")
	done < <("${COMP_WORDS[0]}" completion words -- "${words[@]}" 2>/dev/null)
}
complete -o default -F _tcda tcda
