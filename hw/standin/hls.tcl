# A stand-in for Vitis HLS in plain tclsh: runs the scripts, checks what they name, and packages
# an IP core whose ports and registers are the contract's. It also writes the register map that the
# pragmas of the sources require, in the form of the tool's driver; hw/scripts/check.py compares the
# two. It compiles and synthesises nothing.
#
#   tclsh hls.tcl vitis-run --mode hls --tcl SCRIPT | vitis_hls -f SCRIPT
#
# CIRCNN_STANDIN_II (1) is the initiation interval that its report states for a target of 1.

set standin [file dirname [file normalize [info script]]]
source [file join $standin common.tcl]

set release 2024.1
set project [dict create sources {} benches {}]

proc open_project {args} {
    set rest [options open_project {-reset flag} $args]
    need open_project "a name" $rest
    dict set ::project folder [file normalize [lindex $rest 0]]
    if {$option(-reset)} {
        file delete -force [dict get $::project folder]
    }
}

proc set_top {name} {
    dict set ::project top $name
}

proc add_files {args} {
    set rest [options add_files {-tb flag -cflags value} $args]
    foreach file $rest {
        if {![file exists $file]} {
            error "a file that is added must exist. Received: $file."
        }
        dict lappend ::project [expr {$option(-tb) ? "benches" : "sources"}] $file
    }
    foreach flag [expr {[info exists option(-cflags)] ? $option(-cflags) : ""}] {
        if {[regexp {^-I(.*)$} $flag -> folder] && ![file isdirectory $folder]} {
            error "an include folder must exist. Received: $folder."
        }
    }
}

proc open_solution {args} {
    set rest [options open_solution {-reset flag -flow_target value} $args]
    if {$option(-flow_target) ne "vivado"} {
        error "the flow target must be vivado. Received: $option(-flow_target)."
    }
    dict set ::project solution [file join [dict get $::project folder] [lindex $rest 0]]
}

proc set_part {part} {
    if {$part ni {xc7z020clg400-1 xczu7ev-ffvc1156-2-e}} {
        error "the part must be one that the stand-in knows. Received: $part."
    }
    dict set ::project part $part
}

proc create_clock {args} {
    options create_clock {-period value -name value} $args
    if {![string is double -strict $option(-period)]} {
        error "a period must be a number of ns. Received: $option(-period)."
    }
    dict set ::project period $option(-period)
}

proc ready {} {
    foreach key {folder top solution part period} {
        if {![dict exists $::project $key]} {
            error "the project must have its $key by now. Received: none."
        }
    }
    if {![llength [dict get $::project sources]]} {
        error "the project must have sources. Received: none."
    }
}

proc csim_design {args} {
    options csim_design {-clean flag} $args
    ready
    if {![llength [dict get $::project benches]]} {
        error "C simulation must have a test bench. Received: no file added with -tb."
    }
    puts "stand-in: C simulation not run"
}

# The options of every pragma HLS INTERFACE of a mode: a list of dictionaries.
proc interfaces {text mode} {
    set found [list]
    foreach {line options} [regexp -all -inline -line \
            "^\\s*#pragma\\s+HLS\\s+INTERFACE\\s+(?:mode\\s*=\\s*)?$mode\\M(.*)\$" $text] {
        set pragma [dict create]
        foreach {word key value} [regexp -all -inline {(\w+)\s*=\s*(\w+)} $options] {
            dict set pragma $key $value
        }
        lappend found $pragma
    }
    return $found
}

# The names of the arguments of the top function.
proc top_arguments {text} {
    set top [dict get $::project top]
    if {![regexp "\\mvoid\\s+$top\\s*\\((\[^)\]*)\\)" $text -> list]} {
        error "the sources must define the top function. Received: no $top in them."
    }
    return [lmap argument [split $list ,] {lindex [regexp -inline {(\w+)\s*$} $argument] 1}]
}

# The offsets of a bundle's outputs: name -> offset. Each takes 16 bytes: data, control word and
# two reserved words (as in the x*_hw.h of 2020.2 to 2023.2 in public repositories). If an offset
# lies within the bytes of another output, the register moves to the end with a warning (UG1399,
# "S_AXILITE Offset Option"); a register without an offset goes there too.
proc place_outputs {pragmas} {
    set places [dict create]
    set end 0x10
    set behind [list]
    foreach pragma $pragmas {
        set name [dict get $pragma port]
        if {![dict exists $pragma offset]} {
            lappend behind $name
            continue
        }
        set offset [expr {[dict get $pragma offset]}]
        set clash [expr {$offset < 0x10 || $offset % 4}]
        dict for {other taken} $places {
            set clash [expr {$clash || abs($offset - $taken) < 16}]
        }
        if {$clash} {
            puts "WARNING: \[stand-in\] offset [dict get $pragma offset] of '$name' has too little\
                room: the register is moved to the end of the map."
            lappend behind $name
        } else {
            dict set places $name $offset
            set end [expr {max($end, $offset + 16)}]
        }
    }
    foreach name $behind {
        dict set places $name $end
        incr end 16
    }
    return $places
}

# The register map as the driver that Vitis HLS generates defines it.
proc register_header {top bundle places protocol} {
    set names [list]
    if {$protocol} {
        lappend names AP_CTRL 0x00 GIE 0x04 IER 0x08 ISR 0x0c
    }
    dict for {name offset} $places {
        set upper [string toupper $name]
        lappend names ${upper}_DATA [format 0x%02x $offset] \
            ${upper}_CTRL [format 0x%02x [expr {$offset + 4}]]
    }
    set lines [list "// Vitis HLS v$::release stand-in: no tool ran" "// $bundle" ""]
    foreach {name offset} $names {
        lappend lines "#define [string toupper X${top}_${bundle}]_ADDR_$name $offset"
    }
    return "[join $lines \n]\n"
}

# The top function, its streams and its registers must be in the sources; the report's numbers are
# invented.
proc csynth_design {} {
    ready
    set top [dict get $::project top]
    set text {}
    foreach file [dict get $::project sources] {
        append text [read_file $file] \n
    }
    set arguments [top_arguments $text]
    set streams [lmap pragma [interfaces $text axis] {dict get $pragma port}]
    foreach port {in_stream out_stream} {
        if {$port ni $streams} {
            error "the top function must have a stream. Received: no axis pragma for $port."
        }
    }
    set registers [interfaces $text s_axilite]
    foreach port [concat $streams [lmap pragma $registers {dict get $pragma port}]] {
        if {$port ne "return" && $port ni $arguments} {
            error "an interface must be one of an argument of $top. Received: no argument $port."
        }
    }
    set outputs [list]
    dict set ::project protocol 0
    foreach pragma $registers {
        if {[dict get $pragma port] eq "return"} {
            dict set ::project protocol 1
        } else {
            lappend outputs $pragma
        }
    }
    dict set ::project places [place_outputs $outputs]
    set achieved [expr {[info exists ::env(CIRCNN_STANDIN_II)] ? $::env(CIRCNN_STANDIN_II) : 1}]
    set estimated [format %.3f [expr {0.7 * [dict get $::project period]}]]
    set reports [file join [dict get $::project solution] syn report]
    write_file [file join $reports ${top}_csynth.rpt] [join [list \
        "== Vitis HLS Report for '$top' (stand-in: no tool ran, every number is made up)" \
        "    * Version:        $::release (stand-in)" \
        "        * Loop: " \
        "|           | Latency | Iteration| Initiation Interval | Trip |          |" \
        "| Loop Name | min|max |  Latency | achieved|  target   | Count| Pipelined|" \
        "|- PRODUCTS | 10 | 10 |        2 |    $achieved    |     1     |    10|       yes|" \
        "" "== Utilization Estimates" ""] \n]
    write_file [file join $reports csynth.xml] "<?xml version=\"1.0\"?>
<profile>
  <ReportVersion><Version>$::release (stand-in)</Version></ReportVersion>
  <UserAssignments>
    <Part>[dict get $::project part]</Part>
    <TopModelName>$top</TopModelName>
    <TargetClockPeriod>[dict get $::project period]</TargetClockPeriod>
    <ClockUncertainty>[format %.2f [expr {0.27 * [dict get $::project period]}]]</ClockUncertainty>
  </UserAssignments>
  <PerformanceEstimates>
    <SummaryOfTimingAnalysis>
      <EstimatedClockPeriod>$estimated</EstimatedClockPeriod>
    </SummaryOfTimingAnalysis>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources>
      <BRAM_18K>1</BRAM_18K><DSP>1</DSP><FF>1</FF><LUT>1</LUT><URAM>0</URAM>
    </Resources>
    <AvailableResources>
      <BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM>
    </AvailableResources>
  </AreaEstimates>
</profile>
"
    dict set ::project synthesised 1
}

proc export_design {args} {
    options export_design {-format value -vendor value -library value -version value
        -ipname value -description value} $args
    if {![dict exists $::project synthesised] || $option(-format) ne "ip_catalog"} {
        error "export_design must follow csynth_design, with -format ip_catalog. Received: $args."
    }
    set vlnv $option(-vendor):$option(-library):$option(-ipname):$option(-version)
    write_file [file join [dict get $::project solution] impl ip standin_ip.tcl] \
        [exec python3 [file join $::standin engine_ip.py] $vlnv]
    set top [dict get $::project top]
    set version v[string map {. _} $option(-version)]
    write_file [file join [dict get $::project solution] impl ip drivers ${top}_$version src \
        x${top}_hw.h] [register_header $top control [dict get $::project places] \
        [dict get $::project protocol]]
}

proc something_built {} {
    return [dict exists $::project folder]
}

lassign $argv tool
switch -- [join [lrange $argv 0 end-1]] {
    "vitis-run --mode hls --tcl" - "vitis_hls -f" {
        run_script "Vitis HLS" [lindex $argv end]
    }
    default {
        if {[lindex $argv end] in {--version -version}} {
            puts "Vitis HLS v$release stand-in: not Vitis HLS"
            exit 0
        }
        puts stderr "ERROR: $tool must be run as vitis-run --mode hls --tcl SCRIPT or\
            vitis_hls -f SCRIPT. Received: $argv."
        exit 1
    }
}
