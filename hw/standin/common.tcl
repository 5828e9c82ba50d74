# The common part of the stand-ins for Vivado and Vitis HLS: options, files, running a script.

# Splits the arguments of a command. SPEC names its options: {-name value -flag flag ...}. Sets
# the array OPTION in the caller, with 0 for a flag that is not given, and returns the rest.
proc options {command spec arguments} {
    upvar 1 option option
    array unset option
    foreach {name kind} $spec {
        if {$kind eq "flag"} {
            set option($name) 0
        }
    }
    set rest [list]
    for {set i 0} {$i < [llength $arguments]} {incr i} {
        set word [lindex $arguments $i]
        if {![regexp {^-[a-z_]+$} $word]} {
            lappend rest $word
        } elseif {![dict exists $spec $word]} {
            error "an option of $command must be one of [dict keys $spec]. Received: $word."
        } elseif {[dict get $spec $word] eq "flag"} {
            set option($word) 1
        } else {
            incr i
            if {$i == [llength $arguments]} {
                error "the option $word of $command must have a value. Received: none."
            }
            set option($word) [lindex $arguments $i]
        }
    }
    return $rest
}

proc need {command name arguments} {
    if {![llength $arguments]} {
        error "$command must be given $name. Received: nothing."
    }
}

proc write_file {path text} {
    file mkdir [file dirname $path]
    set file [open $path wb]
    fconfigure $file -encoding utf-8
    puts -nonewline $file $text
    close $file
}

proc read_file {path} {
    set file [open $path r]
    fconfigure $file -encoding utf-8
    set text [read $file]
    close $file
    return $text
}

# The messages that scripts send. An ERROR is a Tcl error, as in Vivado; scripts written by
# write_bd_tcl catch it and return.
namespace eval common {
    variable errors 0

    proc send_gid_msg {args} {
        set rest [options common::send_gid_msg {-ssname value -id value -severity value} $args]
        say $option(-severity) $option(-ssname)-$option(-id) [lindex $rest 0]
    }

    proc send_msg_id {id severity text} {
        say $severity $id $text
    }

    proc say {severity id text} {
        variable errors
        puts "$severity: \[$id\] $text"
        if {$severity eq "ERROR"} {
            incr errors
            error $text
        }
    }
}

# Runs a script as the tool would in batch mode: an error ends it with status 1.
proc run_script {tool path} {
    set ::running $tool
    if {[catch {uplevel #0 [list source $path]} message details]} {
        puts stderr "ERROR: \[$tool stand-in\] $message"
        puts stderr [dict get $details -errorinfo]
        exit 1
    }
    exit 0
}

# The tools accept a script that returns early as a success, such as one for another version, which
# only prints that. The stand-in is meant to find faults, so it ends such a script with status 1.
# Each tool has a procedure something_built.
proc check_end {command operation} {
    if {![info exists ::running] || [lindex [concat $command 0] 1] != 0} {
        return
    }
    set prefix "ERROR: \[$::running stand-in\]"
    set built [something_built]
    unset ::running
    if {$::common::errors} {
        puts stderr "$prefix a script must send no error. Received: $::common::errors ERROR, after\
            which it ended as if all was well. The tool itself would end with status 0."
    }
    if {!$built} {
        puts stderr "$prefix a script must create or open a project. Received: none, so nothing was\
            built. The tool itself would end with status 0."
    }
    if {$::common::errors || !$built} {
        exit 1
    }
}
trace add execution exit enter check_end
