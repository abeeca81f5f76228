# fish completion of tcda: tcda completion fish | source
function __tcda
	set -l words (commandline -opc)
	set -l found ($words[1] completion words -- $words[2..] (commandline -ct) 2>/dev/null)
	if test (count $found) -gt 0
		printf '%s\n' $found
	else
		__fish_complete_path (commandline -ct)
	end
end
complete -c tcda -f -k -a '(__tcda)'
