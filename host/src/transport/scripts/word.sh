# Sets value from $line: the text behind `=` as it is, or what stands behind `:` in base64.
word_of_line() {
    case $line in
    =*) value=${line#=} ;;
    # The x keeps newlines at the end, which a substitution would drop.
    :*) value=$(printf %s "${line#:}" | base64 -d && printf x) && value=${value%x} ;;
    *) false ;;
    esac
}
