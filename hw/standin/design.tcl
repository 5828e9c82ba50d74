# The stand-in's block design: cells from the catalogue, their connections, and the checks.
#
# cells    name -> dictionary with vlnv, class, config and the shape that BODY of the catalogue
#          has defined: pins, buses, segments, spaces, registers, through, derived
# nets     CELL/PIN -> the pin that drives its net
# links    CELL/BUS or port NAME -> its peer, both ways
# mapped   {SPACE SEGMENT} -> {OFFSET RANGE}; excluded likewise, without value

namespace eval shape {
    # The commands of a BODY in the catalogue; current is the cell being made.
    variable current {}

    proc pin {name direction kind args} {
        variable current
        options pin {-width value -low flag -optional flag -sync value -hz value
            -max value -vector flag -plain flag} $args
        set pin [dict create direction $direction kind $kind width 1 low $option(-low) \
            optional $option(-optional) vector [expr {$option(-vector) ? 1 : 0}] \
            plain $option(-plain)]
        foreach name_ {-width -sync -hz -max} {
            if {[info exists option($name_)]} {
                dict set pin [string range $name_ 1 end] $option($name_)
            }
        }
        dict set current pins $name $pin
    }

    proc bus {name mode protocol args} {
        variable current
        options bus {-clock value -reset value -data value -address value -id value -prefix value
            -case value -optional flag -apertures value -without value -adapts flag
            -strobe flag} $args
        set bus [dict create mode $mode protocol $protocol data 32 address 32 id 0 prefix $name \
            suffix lower clock {} reset {} without {} apertures {} \
            optional $option(-optional) adapts $option(-adapts) \
            strobe $option(-strobe)]
        foreach key {clock reset data address id without apertures} {
            if {[info exists option(-$key)]} {
                dict set bus $key $option(-$key)
            }
        }
        if {[info exists option(-prefix)]} {
            dict set bus prefix $option(-prefix)
        } elseif {[info exists option(-case)] && $option(-case) eq "lower"} {
            dict set bus prefix [string tolower $name]
        }
        if {[info exists option(-case)]} {
            dict set bus suffix $option(-case)
        }
        dict set current buses $name $bus
    }

    proc segment {interface name range usage args} {
        variable current
        options segment {-bus value -base value} $args
        set bus [expr {[info exists option(-bus)] ? $option(-bus) : $interface}]
        set base [expr {[info exists option(-base)] ? $option(-base) : "C"}]
        dict set current segments $interface/$name [dict create interface $interface name $name \
            bus $bus range $range usage $usage base $base]
    }

    proc space {name args} {
        variable current
        dict set current spaces $name $args
    }

    proc register {bus name offset access reset description fields} {
        variable current
        dict set current registers $bus $name [dict create offset [expr {$offset}] \
            access $access reset $reset description $description fields $fields]
    }

    proc through {masters slaves} {
        variable current
        dict set current through [dict create masters $masters slaves $slaves]
    }

    proc derived {name value} {
        variable current
        dict set current derived $name $value
    }

    # The two divisors, each at most 63, whose product comes nearest; the larger first.
    proc divisors {pll mhz} {
        set best {1 1}
        for {set first 1} {$first <= 63} {incr first} {
            for {set second 1} {$second <= $first} {incr second} {
                set error [expr {abs($pll / $first / $second - $mhz)}]
                set known [expr {abs($pll / [lindex $best 0] / [lindex $best 1] - $mhz)}]
                if {$error < $known - 1e-9} {
                    set best [list $first $second]
                }
            }
        }
        return $best
    }
}

set catalogue [dict create]
set cells [dict create]
set nets [dict create]
set links [dict create]
set ports [dict create]
set mapped [dict create]
set excluded [dict create]

proc ip {vlnv class parameters body} {
    dict set ::catalogue $vlnv [dict create class $class parameters $parameters]
    {*}[list proc ::shape::of:$vlnv config "array set p \$config\n$body"]
}

# Whether a value of a parameter is one that the catalogue allows.
proc allowed {value rule} {
    if {$rule eq "any"} {
        return 1
    }
    if {$rule eq "number"} {
        return [string is double -strict $value]
    }
    if {$rule eq "hex"} {
        return [regexp {^0x[0-9A-Fa-f]+$} $value]
    }
    if {[regexp {^(\d+)\.\.(\d+)$} $rule -> low high]} {
        return [expr {[string is integer -strict $value] && $value >= $low && $value <= $high}]
    }
    return [expr {$value in $rule}]
}

# Gives a cell the pins and interfaces that its parameters require.
proc shape {name} {
    upvar #0 cells cells
    set ::shape::current [dict create pins {} buses {} segments {} spaces {} registers {} \
        through {} derived {}]
    set config [dict get $cells $name config]
    ::shape::of:[dict get $cells $name vlnv] $config
    dict for {key value} $::shape::current {
        dict set cells $name $key $value
    }
}

proc configure {name parameters} {
    upvar #0 cells cells
    set known [dict create]
    foreach {key default rule} [dict get $::catalogue [dict get $cells $name vlnv] parameters] {
        dict set known $key $rule
    }
    foreach {key value} $parameters {
        if {![dict exists $known $key]} {
            error "a parameter of [dict get $cells $name vlnv] must be in the catalogue.\
                Received: CONFIG.$key for $name. Correct the name, or add it with its source."
        }
        set rule [dict get $known $key]
        if {![allowed $value $rule]} {
            error "CONFIG.$key of $name must be one of: $rule. Received: '$value'."
        }
        dict set cells $name config $key $value
    }
    shape $name
    foreach end [concat [dict keys $::nets $name/*] [dict keys $::links $name/*]] {
        set part [file tail $end]
        if {![dict exists $cells $name pins $part] && ![dict exists $cells $name buses $part]} {
            error "a connected pin must remain. Received: parameters that take $end away."
        }
    }
}

# The first name of a path is the cell; the stand-in knows no hierarchy.
proc cell_of {path} {
    return [lindex [split [string trimleft $path /] /] 0]
}

proc find {kind patterns quiet} {
    set all [list]
    dict for {name cell} $::cells {
        switch $kind {
            cells {
                lappend all $name
            }
            segments - spaces - pins - buses {
                foreach part [dict keys [dict get $cell $kind]] {
                    lappend all $name/$part
                }
            }
        }
    }
    set found [list]
    foreach pattern $patterns {
        foreach name [lsearch -all -inline $all [string trimleft $pattern /]] {
            lappend found /$name
        }
    }
    if {![llength $found] && !$quiet} {
        error "the design must contain what a script names. Received: no $kind match '$patterns'."
    }
    return $found
}

proc query {kind command arguments} {
    set patterns [options $command {-quiet flag} $arguments]
    need $command "a name" $patterns
    return [find $kind [join $patterns] $option(-quiet)]
}

proc get_bd_cells {args} {
    return [query cells get_bd_cells $args]
}

proc get_bd_pins {args} {
    return [query pins get_bd_pins $args]
}

proc get_bd_intf_pins {args} {
    return [query buses get_bd_intf_pins $args]
}

proc get_bd_addr_spaces {args} {
    return [query spaces get_bd_addr_spaces $args]
}

proc get_bd_addr_segs {args} {
    return [query segments get_bd_addr_segs $args]
}

proc pin_of {path} {
    set path [string trimleft $path /]
    return [dict get $::cells [cell_of $path] pins [file tail $path]]
}

proc bus_of {path} {
    set path [string trimleft $path /]
    return [dict get $::cells [cell_of $path] buses [file tail $path]]
}

proc create_bd_cell {args} {
    upvar #0 cells cells
    set rest [options create_bd_cell {-type value -vlnv value} $args]
    need create_bd_cell "a name" $rest
    set name [lindex $rest 0]
    if {$option(-type) ne "ip" || ![dict exists $::catalogue $option(-vlnv)]} {
        error "create_bd_cell must be given an IP of the catalogue. Received: $args."
    }
    if {[dict exists $cells $name]} {
        error "the name of a cell must be new. Received: $name."
    }
    set config [dict create]
    foreach {key default rule} [dict get $::catalogue $option(-vlnv) parameters] {
        dict set config $key $default
    }
    dict set cells $name [dict create vlnv $option(-vlnv) \
        class [dict get $::catalogue $option(-vlnv) class] config $config]
    shape $name
    return /$name
}

proc connect_bd_net {args} {
    upvar #0 nets nets
    set ends [join [options connect_bd_net {-net value} $args]]
    set ends [lmap end $ends {string trimleft $end /}]
    if {[llength $ends] < 2} {
        error "a net must join at least two pins. Received: $ends."
    }
    set drivers [list]
    foreach end $ends {
        set pin [pin_of $end]
        if {[dict get $pin direction] eq "out"} {
            lappend drivers $end
        } elseif {[dict exists $nets $end]} {
            lappend drivers [dict get $nets $end]
        }
    }
    set drivers [lsort -unique $drivers]
    if {[llength $drivers] != 1} {
        error "a net must have one driver. Received: '$drivers' for $ends."
    }
    foreach end $ends {
        if {$end ne $drivers} {
            dict set nets $end [lindex $drivers 0]
        }
    }
}

# The kind of an interface: two ends of the same kind can be connected.
proc family {protocol} {
    if {$protocol in {lite axi3 axi4 read write}} {
        return aximm
    }
    return [regsub {_rtl:} $protocol :]
}

proc connect_bd_intf_net {args} {
    upvar #0 links links
    set ends [join [options connect_bd_intf_net {-intf_net value} $args]]
    set ends [lmap end $ends {string trimleft $end /}]
    if {[llength $ends] != 2} {
        error "an interface must join two ends. Received: $ends."
    }
    lassign $ends first second
    foreach end $ends {
        if {[dict exists $links $end]} {
            error "an interface must be connected once. Received: $end again."
        }
    }
    if {[dict exists $::ports $second]} {
        set modes [list [dict get [bus_of $first] mode] slave]
        set families [list [family [dict get [bus_of $first] protocol]] \
            [family [dict get $::ports $second]]]
    } else {
        set modes [list [dict get [bus_of $first] mode] [dict get [bus_of $second] mode]]
        set families [list [family [dict get [bus_of $first] protocol]] \
            [family [dict get [bus_of $second] protocol]]]
    }
    if {[lsort $modes] ne {master slave} || [lindex $families 0] ne [lindex $families 1]} {
        error "an interface must join a master and a slave of one kind.\
            Received: $first ([lindex $modes 0] [lindex $families 0]) and\
            $second ([lindex $modes 1] [lindex $families 1])."
    }
    dict set links $first $second
    dict set links $second $first
}

proc create_bd_intf_port {args} {
    set rest [options create_bd_intf_port {-mode value -vlnv value} $args]
    need create_bd_intf_port "a name" $rest
    if {$option(-mode) ni {Master Slave} || ![regexp {_rtl:[\d.]+$} $option(-vlnv)]} {
        error "an interface port must have a mode and a VLNV ..._rtl:N. Received: $args."
    }
    dict set ::ports [lindex $rest 0] $option(-vlnv)
    return [lindex $rest 0]
}

proc assign_bd_address {args} {
    set rest [options assign_bd_address {-offset value -range value -target_address_space value
        -force flag} $args]
    need assign_bd_address "a segment" $rest
    set key [list [string trimleft $option(-target_address_space) /] \
        [string trimleft [lindex $rest 0] /]]
    if {[dict exists $::mapped $key]} {
        error "a segment must be placed once in a space. Received: $key again."
    }
    dict set ::mapped $key [list [expr {$option(-offset)}] [expr {$option(-range)}]]
}

proc exclude_bd_addr_seg {args} {
    set rest [options exclude_bd_addr_seg {-target_address_space value} $args]
    need exclude_bd_addr_seg "a segment" $rest
    dict set ::excluded [list [string trimleft $option(-target_address_space) /] \
        [string trimleft [lindex $rest 0] /]] 1
}

# The segments that a master's space reaches through interconnects: {SEGMENT MASTER-BUS} each.
proc reachable {space} {
    set cell [cell_of $space]
    set seen [list]
    foreach bus [dict get $::cells $cell spaces [file tail $space]] {
        foreach end [far_ends $cell/$bus] {
            lassign [split $end /] slave interface
            dict for {path segment} [dict get $::cells $slave segments] {
                if {[dict get $segment bus] eq $interface} {
                    lappend seen [list $slave/$path $bus]
                }
            }
        }
    }
    return $seen
}

# The slave interfaces behind a master interface.
proc far_ends {master} {
    if {![dict exists $::links $master]} {
        return {}
    }
    set end [dict get $::links $master]
    lassign [split $end /] cell bus
    set through [expr {[dict exists $::cells $cell] ? [dict get $::cells $cell through] : ""}]
    if {$through eq ""} {
        return [list $end]
    }
    set ends [list]
    foreach next [dict get $through masters] {
        lappend ends {*}[far_ends $cell/$next]
    }
    return $ends
}

# The clock output behind a clock pin, and its frequency; empty without one.
proc source_of {path} {
    return [expr {[dict exists $::nets $path] ? [dict get $::nets $path] : ""}]
}

proc frequency {path} {
    set source [source_of $path]
    if {$source eq ""} {
        return 0
    }
    set pin [pin_of $source]
    return [expr {[dict exists $pin hz] ? [dict get $pin hz] : 0}]
}

proc width_of {path} {
    set pin [pin_of $path]
    if {[dict get $pin width] eq "any"} {
        return [width_of [source_of $path]]
    }
    return [dict get $pin width]
}

# An open interrupt is not a fault: Vivado ties an open input to 0 with a critical warning
# (BD 41-759) and does not report an open output.
proc check_pins {} {
    set faults [list]
    set loads [dict values $::nets]
    dict for {name cell} $::cells {
        dict for {part pin} [dict get $cell pins] {
            set path $name/$part
            set kind [dict get $pin kind]
            if {[dict get $pin direction] eq "out"} {
                if {$kind eq "intr" && $path ni $loads} {
                    puts "WARNING: \[stand-in\] interrupt $path is not connected"
                }
                continue
            }
            set source [source_of $path]
            if {$source ne "" && [dict exists $pin max] && [width_of $path] > [dict get $pin max]} {
                lappend faults "$path takes [dict get $pin max] lines but gets [width_of $path]"
            }
            if {$source eq ""} {
                if {$kind eq "intr"} {
                    puts "CRITICAL WARNING: \[stand-in\] $path has no interrupt and is tied to 0"
                } elseif {![dict get $pin optional]} {
                    set what [dict get {clk {has no clock} rst {has no reset}
                        data {is not connected}} $kind]
                    lappend faults "$path $what"
                }
                continue
            }
            set driver [pin_of $source]
            set drives [dict get $driver kind]
            if {$kind ne $drives && !($kind eq "rst" && $drives eq "data" &&
                    [dict get $pin optional])} {
                lappend faults "$path is a $kind but $source, a $drives, drives it"
                continue
            }
            if {[dict get $pin width] ne "any" && [width_of $source] != [dict get $pin width]} {
                lappend faults "$path is [dict get $pin width] wide but $source\
                    [width_of $source]"
            }
            if {$kind eq "rst" && $drives eq "rst" &&
                    [dict get $pin low] != [dict get $driver low]} {
                lappend faults "$path and $source differ in polarity"
            }
            if {$kind eq "rst" && [dict exists $pin sync]} {
                set wanted [source_of $name/[dict get $pin sync]]
                set given [expr {[dict exists $driver sync]
                    ? [source_of [cell_of $source]/[dict get $driver sync]] : "no clock"}]
                if {$wanted ne $given} {
                    lappend faults "$path runs at '$wanted' but its reset $source at '$given'"
                }
            }
        }
    }
    return $faults
}

proc check_links {} {
    set faults [list]
    dict for {name cell} $::cells {
        dict for {part bus} [dict get $cell buses] {
            set path $name/$part
            if {![dict exists $::links $path]} {
                if {![dict get $bus optional] && [dict get $bus clock] ne ""} {
                    lappend faults "interface $path is not connected"
                }
                continue
            }
            set peer [dict get $::links $path]
            if {[dict get $bus mode] ne "master" || [dict exists $::ports $peer]} {
                continue
            }
            set other [bus_of $peer]
            set clocks [lmap end [list $path $peer] side [list $bus $other] {
                source_of [cell_of $end]/[dict get $side clock]
            }]
            if {[lindex $clocks 0] ne [lindex $clocks 1]} {
                lappend faults "$path and $peer are in different clock domains: $clocks"
            }
            if {[dict get $bus protocol] eq "stream" && [dict get $bus data] !=
                    [dict get $other data]} {
                lappend faults "stream $path is [dict get $bus data] bits wide but $peer\
                    [dict get $other data]"
            }
        }
    }
    return $faults
}

proc check_addresses {} {
    set faults [list]
    dict for {name cell} $::cells {
        foreach part [dict keys [dict get $cell spaces]] {
            set space $name/$part
            set taken [list]
            foreach pair [reachable $space] {
                lassign $pair segment bus
                set key [list $space $segment]
                if {[dict exists $::excluded $key]} {
                    continue
                }
                if {![dict exists $::mapped $key]} {
                    lappend faults "segment $segment has no address in $space"
                    continue
                }
                lassign [dict get $::mapped $key] offset range
                set end [expr {$offset + $range - 1}]
                set where "$segment at [format 0x%08X $offset]..[format 0x%08X $end] in $space"
                if {$range < 4096 || $range & ($range - 1) || $offset % $range} {
                    lappend faults "$where must be a power of two and lie on a multiple of it"
                }
                set low [expr {[llength [dict get $cell buses $bus apertures]]
                    ? [lindex [dict get $cell buses $bus apertures] 0] : 0}]
                set high [expr {[llength [dict get $cell buses $bus apertures]]
                    ? [lindex [dict get $cell buses $bus apertures] 1]
                    : (1 << [dict get $cell buses $bus address]) - 1}]
                if {$offset < $low || $end > $high} {
                    lappend faults "$where lies outside $bus ($low..$high)"
                }
                foreach {known first last} $taken {
                    if {$offset <= $last && $first <= $end} {
                        lappend faults "$where overlaps $known"
                    }
                }
                lappend taken $segment $offset $end
            }
            foreach key [dict keys $::mapped] {
                if {[lindex $key 0] eq $space && ![llength [lsearch -inline -index 0 \
                        [reachable $space] [lindex $key 1]]]} {
                    lappend faults "[lindex $key 1] cannot be reached from $space"
                }
            }
        }
    }
    return $faults
}

proc validate_bd_design {} {
    set faults [concat [check_pins] [check_links] [check_addresses]]
    foreach fault $faults {
        puts stderr "CRITICAL WARNING: \[stand-in\] $fault"
    }
    if {[llength $faults]} {
        error "the design must be sound. Received: [llength $faults] faults: [join $faults {; }]."
    }
}
