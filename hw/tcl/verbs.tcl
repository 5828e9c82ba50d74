# The verbs that bd.tcl is written in.
#
#   instance NAME IP ?PARAMETERS?     an IP core, in its newest version unless IP names one
#   connect SOURCE SINK ...           pins to pins or interface to interface, as CELL/PIN
#   external NAME VLNV PIN            an interface of the design's own, joined to CELL/PIN
#   locate SEGMENT SPACE OFFSET RANGE
#                                     a slave's registers or memory in a master's address space
#   hide PATTERN KEPT SPACE           excludes from SPACE every segment of the pattern except KEPT

# The IP core of a name VENDOR:LIBRARY:NAME ?:VERSION?. Without a version it is the newest one that
# IP integrator accepts, which differs for some cores between 2022.1 and 2024.1.
proc core {name} {
    if {[llength [split $name :]] == 4} {
        set filter "VLNV == $name"
    } else {
        set filter "VLNV =~ $name:* && design_tool_contexts =~ *IPI* && UPGRADE_VERSIONS == \"\""
    }
    set found [get_ipdefs -all -filter $filter]
    if {[llength $found] != 1} {
        error "the IP catalogue must hold one current version of $name. Received: '$found'.\
            Run make -C hw ip first if it is the engine, else check the Vivado installation."
    }
    return [lindex $found 0]
}

proc instance {name ip {parameters {}}} {
    set cell [create_bd_cell -type ip -vlnv [core $ip] $name]
    set configuration [list]
    foreach {key value} $parameters {
        lappend configuration CONFIG.$key $value
    }
    if {[llength $configuration]} {
        set_property -dict $configuration $cell
    }
}

proc connect {source args} {
    foreach sink $args {
        if {[llength [get_bd_intf_pins -quiet $source]]} {
            connect_bd_intf_net [get_bd_intf_pins $source] [get_bd_intf_pins $sink]
        } else {
            connect_bd_net [get_bd_pins $source] [get_bd_pins $sink]
        }
    }
}

proc external {name vlnv pin} {
    set port [create_bd_intf_port -mode Master -vlnv $vlnv $name]
    connect_bd_intf_net [get_bd_intf_pins $pin] $port
}

proc locate {segment space offset range} {
    assign_bd_address -offset $offset -range $range \
        -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment] -force
}

proc hide {pattern kept space} {
    foreach segment [get_bd_addr_segs -quiet $pattern] {
        if {[string trimleft $segment /] ne [string trimleft $kept /]} {
            exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces $space] $segment
        }
    }
}
