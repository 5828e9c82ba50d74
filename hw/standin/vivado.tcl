# A stand-in for Vivado in plain tclsh. It runs the build's scripts unmodified, checks the block
# design and writes its .hwh; it synthesises nothing, and its output files state that.
#
#   tclsh vivado.tcl -version | -mode batch -source SCRIPT ?-nojournal? ?-notrace? ?-log FILE?
#
# A command, option, parameter, pin or value that is neither here nor in catalogue.tcl is an error.
# CIRCNN_STANDIN_VERSION (2024.1) is the version that it imitates, CIRCNN_STANDIN_WNS_NS (0.5) the
# slack in its timing report.

set standin [file dirname [file normalize [info script]]]
foreach file {common design hwh catalogue} {
    source [file join $standin $file.tcl]
}

proc from_environment {name default} {
    return [expr {[info exists ::env($name)] ? $::env($name) : $default}]
}

set release [from_environment CIRCNN_STANDIN_VERSION 2024.1]
set parts {xc7z020clg400-1 xczu7ev-ffvc1156-2-e}
set strategies {Performance_ExplorePostRoutePhysOpt Performance_Explore
    {Vivado Implementation Defaults}}
set project [dict create]
set design {}

proc state {key} {
    if {![dict exists $::project $key]} {
        error "there must be a project with its $key by now. Received: none. Open or create it."
    }
    return [dict get $::project $key]
}

# project.xpr keeps what the next step needs.
proc save_project {} {
    write_file [file join [state folder] [state name].xpr] $::project
}

proc version {args} {
    set rest [options version {-short flag} $args]
    return $::release
}

proc create_project {args} {
    set rest [options create_project {-force flag -part value} $args]
    if {$option(-part) ni $::parts} {
        error "the part must be one of $::parts. Received: $option(-part)."
    }
    lassign $rest name folder
    if {[file exists [file join $folder $name.xpr]] && !$option(-force)} {
        error "a project must be new. Received: $folder exists. Pass -force."
    }
    file delete -force $folder
    set ::project [dict create name $name folder $folder part $option(-part)]
    save_project
    return $name
}

proc open_project {args} {
    set rest [options open_project {} $args]
    set ::project [read_file [lindex $rest 0]]
    return [state name]
}

proc current_project {} {
    return [state name]
}

proc current_fileset {} {
    return sources_1
}

proc set_property {args} {
    set rest [options set_property {-dict value} $args]
    if {[info exists option(-dict)]} {
        set pairs $option(-dict)
        set object [lindex $rest 0]
    } else {
        lassign $rest name value object
        set pairs [list $name $value]
    }
    foreach {name value} $pairs {
        set_one $name $value $object
    }
}

proc set_one {name value object} {
    set cell [cell_of $object]
    if {[regexp {^CONFIG\.(.+)$} $name -> parameter] && [dict exists $::cells $cell]} {
        configure $cell [list $parameter $value]
    } elseif {$name eq "ip_repo_paths" && $object eq [state name]} {
        dict set ::project repositories $value
    } elseif {$name eq "top" && $object eq "sources_1"} {
        dict set ::project top $value
    } elseif {$name eq "strategy" && $object eq "impl_1"} {
        if {$value ni $::strategies} {
            error "a strategy must be one of $::strategies. Received: $value."
        }
    } else {
        error "set_property must name a property that $object has. Received: $name."
    }
    save_project
}

proc get_property {name object} {
    if {$object ne "impl_1" || $name ni {PROGRESS STATUS}} {
        error "get_property must name a property that $object has. Received: $name."
    }
    set done [dict exists $::project routed]
    return [dict get [list PROGRESS [expr {$done ? "100%" : "0%"}] \
        STATUS [expr {$done ? "write_bitstream Complete!" : "Not started"}]] $name]
}

# Reads the IP cores of the repositories, which the stand-in for Vitis HLS has packaged.
proc update_ip_catalog {args} {
    options update_ip_catalog {} $args
    foreach folder [state repositories] {
        foreach file [glob -nocomplain -directory $folder standin_ip.tcl */standin_ip.tcl] {
            uplevel #0 [list source $file]
        }
    }
}

# Understands FIELD == VALUE and FIELD =~ PATTERN joined by &&.
proc get_ipdefs {args} {
    set rest [options get_ipdefs {-all flag -filter value} $args]
    set found [list]
    foreach vlnv [dict keys $::catalogue] {
        set fields [dict create VLNV $vlnv NAME [lindex [split $vlnv :] 2] \
            design_tool_contexts {IPI HLS} UPGRADE_VERSIONS {}]
        set fits 1
        foreach term [split [string map {&& \u0001} $option(-filter)] \u0001] {
            if {![regexp {^\s*(\w+)\s*(==|=~)\s*(\S+)\s*$} $term -> field operator value] ||
                    ![dict exists $fields $field]} {
                error "a filter must be FIELD == VALUE or FIELD =~ PATTERN. Received: $term."
            }
            set value [string trim $value \"]
            set given [dict get $fields $field]
            set fits [expr {$fits && ($operator eq "==" ? $given eq $value
                : [string match $value $given])}]
        }
        if {$fits} {
            lappend found $vlnv
        }
    }
    return $found
}

proc create_bd_design {args} {
    set rest [options create_bd_design {} $args]
    need create_bd_design "a name" $rest
    set ::design [lindex $rest 0]
    return $::design
}

proc design_path {args} {
    return [file join [state folder] {*}$args]
}

proc save_bd_design {} {
    set name $::design
    dict set ::project design $name
    dict set ::project bd [design_path $name.srcs sources_1 bd $name $name.bd]
    write_file [state bd] [hwh::text $name [state part] "$::release stand-in"]
    save_project
}

proc get_files {args} {
    set rest [options get_files {} $args]
    if {[lindex $rest 0] ne [file tail [state bd]]} {
        error "get_files must name a file of the project. Received: $rest."
    }
    return [state bd]
}

proc generate_target {args} {
    lassign [options generate_target {} $args] target file
    if {$target ne "all"} {
        error "the target must be all. Received: $target."
    }
    set name [state design]
    write_file [design_path $name.gen sources_1 bd $name hw_handoff $name.hwh] [read_file $file]
}

proc make_wrapper {args} {
    options make_wrapper {-files value -top flag} $args
    set name [state design]
    set path [design_path $name.gen sources_1 bd $name hdl ${name}_wrapper.v]
    write_file $path "// stand-in: no Vivado ran\n"
    return $path
}

proc add_files {args} {
    set rest [options add_files {-norecurse flag} $args]
    foreach file [join $rest] {
        if {![file exists $file]} {
            error "a file that is added must exist. Received: $file."
        }
    }
}

proc update_compile_order {args} {
    options update_compile_order {-fileset value} $args
}

proc get_runs {name} {
    if {$name ni {synth_1 impl_1}} {
        error "a run must be synth_1 or impl_1. Received: $name."
    }
    return $name
}

proc reset_run {name} {
    get_runs $name
    dict unset ::project routed
}

proc launch_runs {args} {
    set rest [options launch_runs {-to_step value -jobs value} $args]
    get_runs [lindex $rest 0]
    if {$option(-to_step) ne "write_bitstream"} {
        error "the step must be write_bitstream. Received: $option(-to_step)."
    }
    if {[state top] ne "[state design]_wrapper"} {
        error "the top must be the design's wrapper. Received: [state top]."
    }
}

proc wait_on_run {name} {
    get_runs $name
    dict set ::project routed 1
    save_project
    set top [state top]
    set file [design_path [state name].runs impl_1 $top.bit]
    file mkdir [file dirname $file]
    set channel [open $file wb]
    # A Zynq-7000 part without xc and speed grade, an UltraScale+ part in full.
    regsub {^xc(7\w+)-\d$} [state part] {\1} part
    puts -nonewline $channel [bit_header $top $part "$::release stand-in"]
    close $channel
}

# The header of a .bit file, followed by no configuration data at all.
proc bit_header {top part version} {
    set bytes [binary format SH18S 9 0ff00ff00ff00ff000 1]
    foreach {letter text} [list a "$top;UserID=0XFFFFFFFF;Version=$version" b $part \
            c 2000/01/01 d 00:00:00] {
        append bytes $letter [binary format S [expr {[string length $text] + 1}]] $text \0
    }
    return "${bytes}e[binary format I 0]"
}

proc open_run {name} {
    get_runs $name
    state routed
}

proc report_timing_summary {args} {
    options report_timing_summary {-file value} $args
    set slack [from_environment CIRCNN_STANDIN_WNS_NS 0.5]
    set failing [expr {$slack < 0 ? 7 : 0}]
    set total [expr {$slack < 0 ? $slack * 7 : 0}]
    set verdict [expr {$slack < 0 ? "Timing constraints are not met."
        : "All user specified timing constraints are met."}]
    set heads {WNS(ns) TNS(ns) {TNS Failing Endpoints} {TNS Total Endpoints}
        WHS(ns) THS(ns) {THS Failing Endpoints} {THS Total Endpoints}
        WPWS(ns) TPWS(ns) {TPWS Failing Endpoints} {TPWS Total Endpoints}}
    set values [list [format %.3f $slack] [format %.3f $total] $failing 1000 \
        0.050 0.000 0 1000 3.750 0.000 0 500]
    set rows [list [list] [list] [list]]
    foreach head $heads value $values {
        lset rows 0 end+1 $head
        lset rows 1 end+1 [string repeat - [string length $head]]
        lset rows 2 end+1 [format %*s [string length $head] $value]
    }
    set table [lmap row $rows {string cat "    " [join $row {  }]}]
    write_file $option(-file) [join [list \
        "| Tool Version : Vivado v.$::release stand-in: no tool ran, every number is made up" \
        "| Design Timing Summary" {*}$table "" "" $verdict ""] \n]
}

proc report_utilization {args} {
    options report_utilization {-file value} $args
    set lines [list "| Tool Version : Vivado v.$::release stand-in: no tool ran, every number is\
        made up" "| Site Type | Used | Fixed | Prohibited | Available | Util% |"]
    foreach {name available} {{Slice LUTs} 53200 {Slice Registers} 106400 {Block RAM Tile} 140
            DSPs 220} {
        lappend lines "| $name | 1 | 0 | 0 | $available | 0.00 |"
    }
    write_file $option(-file) "[join $lines \n]\n"
}

proc something_built {} {
    return [expr {[dict size $::project] > 0}]
}

set script {}
for {set i 0} {$i < [llength $argv]} {incr i} {
    switch -- [lindex $argv $i] {
        -version {
            puts "vivado v$release (64-bit) stand-in: not Vivado"
            exit 0
        }
        -mode {
            incr i
            if {[lindex $argv $i] ne "batch"} {
                puts stderr "ERROR: the stand-in runs in batch mode only."
                exit 1
            }
        }
        -source {
            set script [lindex $argv [incr i]]
        }
        -log {
            incr i
        }
        -nojournal - -notrace {}
        default {
            puts stderr "ERROR: an option of vivado must be known. Received: [lindex $argv $i]."
            exit 1
        }
    }
}
set argv [list]
run_script Vivado $script
