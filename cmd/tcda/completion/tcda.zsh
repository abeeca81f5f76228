#compdef tcda
# zsh completion of tcda: source <(tcda completion zsh)
_tcda() {
	local -a found
	local word help
	while IFS=$'\t' read -r word help; do
		found+=("${word//:/\\:}:$help")
	done < <("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( ${#found} )); then
		_describe tcda found
	else
		_files
	fi
}
compdef _tcda tcda
