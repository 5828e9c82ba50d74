# Writes the design as the hardware handoff file (.hwh) that pynq reads, in the format of Vivado
# 2020.2 to 2025.2. tests/test_vivado_hwh.py compares it with the files that come with pynqmetadata;
# an older Vivado does not write POLARITY.

namespace eval hwh {
    variable lines {}

    proc escape {text} {
        return [string map {& &amp; < &lt; > &gt; \" &quot;} $text]
    }

    # One element; BODY, if given, writes its contents.
    proc element {depth name attributes {body {}}} {
        variable lines
        set text "[string repeat {  } $depth]<$name"
        foreach {key value} $attributes {
            append text " $key=\"[escape $value]\""
        }
        if {$body eq ""} {
            lappend lines "$text/>"
            return
        }
        lappend lines "$text>"
        uplevel 1 $body
        lappend lines "[string repeat {  } $depth]</$name>"
    }

    # The signals of a protocol: LOGICAL, who drives it (m or s) and how wide it is.
    proc signals {bus} {
        set data [dict get $bus data]
        set address [dict get $bus address]
        set protocol [dict get $bus protocol]
        if {$protocol eq "stream"} {
            set all [list TDATA m $data TKEEP m [expr {$data / 8}] TLAST m 1 TVALID m 1 TREADY s 1]
            if {[dict get $bus strobe]} {
                lappend all TSTRB m [expr {$data / 8}]
            }
        } elseif {[family $protocol] ne "aximm"} {
            set all {}
        } else {
            set lite [expr {$protocol eq "lite"}]
            set full [expr {$protocol in {axi3 axi4}}]
            set all [list]
            foreach {channel on} [list AW [expr {$protocol ne "read"}] \
                    AR [expr {$protocol ne "write"}]] {
                if {!$on} {
                    continue
                }
                lappend all ${channel}ADDR m $address ${channel}PROT m 3
                if {!$lite} {
                    lappend all ${channel}LEN m [expr {$protocol eq "axi3" ? 4 : 8}] \
                        ${channel}SIZE m 3 ${channel}BURST m 2 ${channel}CACHE m 4
                }
                if {$full} {
                    lappend all ${channel}LOCK m [expr {$protocol eq "axi3" ? 2 : 1}] \
                        ${channel}QOS m 4
                }
                lappend all ${channel}VALID m 1 ${channel}READY s 1
            }
            if {$full && [dict get $bus id]} {
                foreach {logical driver} {AWID m BID s ARID m RID s} {
                    lappend all $logical $driver [dict get $bus id]
                }
                if {$protocol eq "axi3"} {
                    lappend all WID m [dict get $bus id]
                }
            }
            if {$protocol ne "read"} {
                lappend all WDATA m $data WSTRB m [expr {$data / 8}]
                if {!$lite} {
                    lappend all WLAST m 1
                }
                lappend all WVALID m 1 WREADY s 1 BRESP s 2 BVALID s 1 BREADY m 1
            }
            if {$protocol ne "write"} {
                lappend all RDATA s $data RRESP s 2
                if {!$lite} {
                    lappend all RLAST s 1
                }
                lappend all RVALID s 1 RREADY m 1
            }
        }
        set kept [list]
        foreach {logical driver width} $all {
            if {$logical ni [dict get $bus without]} {
                lappend kept $logical $driver $width
            }
        }
        return $kept
    }

    # An interconnect's port takes width and protocol from the interface connected to it.
    proc effective {path} {
        set bus [bus_of $path]
        if {[dict get $bus adapts] && [dict exists $::links $path]} {
            set other [bus_of [dict get $::links $path]]
            if {![dict get $other adapts]} {
                foreach key {protocol data address id} {
                    dict set bus $key [dict get $other $key]
                }
            }
        }
        return $bus
    }

    proc physical {bus logical} {
        if {[dict get $bus suffix] eq "lower"} {
            set logical [string tolower $logical]
        }
        return [dict get $bus prefix]_$logical
    }

    # The name of an interface's net: the master's.
    proc net_of {path} {
        set master $path
        if {[dict get [bus_of $path] mode] eq "slave"} {
            set master [dict get $::links $path]
        }
        return [string map {/ _} $master]
    }

    proc port {attributes ends} {
        if {![llength $ends]} {
            element 4 PORT $attributes
            return
        }
        element 4 PORT $attributes {
            element 5 CONNECTIONS {} {
                foreach end $ends {
                    lassign [split $end /] instance pin
                    element 6 CONNECTION [list INSTANCE $instance PORT $pin]
                }
            }
        }
    }

    proc bus_ports {path} {
        set bus [effective $path]
        set peer [expr {[dict exists $::links $path] ? [dict get $::links $path] : ""}]
        set joined [dict create]
        if {$peer ne "" && ![dict exists $::ports $peer]} {
            foreach {logical driver width} [signals [effective $peer]] {
                dict set joined $logical 1
            }
        }
        set master [expr {[dict get $bus mode] eq "master"}]
        foreach {logical driver width} [signals $bus] {
            set direction [expr {($driver eq "m") == $master ? "O" : "I"}]
            set attributes [list DIR $direction]
            if {$width > 1} {
                lappend attributes LEFT [expr {$width - 1}]
            }
            lappend attributes NAME [physical $bus $logical]
            if {$width > 1} {
                lappend attributes RIGHT 0
            }
            lappend attributes SIGIS undef
            set ends [list]
            if {[dict exists $joined $logical]} {
                lappend attributes SIGNAME [net_of $path]_[string tolower $logical]
                set ends [list [cell_of $peer]/[physical [effective $peer] $logical]]
            }
            port $attributes $ends
        }
    }

    # A word for every line that is connected through a concat, or one.
    proc sensitivity {path} {
        set lines [dict keys $::nets [cell_of [source_of $path]]/In*]
        return [join [lrepeat [expr {max(1, [llength $lines])}] LEVEL_HIGH] :]
    }

    proc pin_ports {name part pin} {
        set path $name/$part
        set ends [list]
        set signal {}
        if {[dict get $pin direction] eq "out"} {
            dict for {load driver} $::nets {
                if {$driver eq $path} {
                    lappend ends $load
                    set signal [string map {/ _} $path]
                }
            }
        } elseif {[source_of $path] ne ""} {
            set ends [list [source_of $path]]
            set signal [string map {/ _} [source_of $path]]
        }
        set attributes [list]
        set kind [dict get $pin kind]
        if {$kind eq "clk"} {
            set hz [expr {[dict exists $pin hz] ? [dict get $pin hz] : [frequency $path]}]
            lappend attributes CLKFREQUENCY $hz
        }
        lappend attributes DIR [expr {[dict get $pin direction] eq "in" ? "I" : "O"}]
        set width [expr {[dict get $pin width] eq "any" && ![llength $ends] ? 1
            : [width_of $path]}]
        set vector [expr {$width > 1 || [dict get $pin vector] ||
            [dict get $pin width] eq "any"}]
        if {$vector} {
            lappend attributes LEFT [expr {$width - 1}]
        }
        lappend attributes NAME $part
        # An interconnect is a hierarchy of cores, whose pins have no polarity.
        if {$kind eq "rst" && ![string match *:axi_interconnect:* [dict get $::cells $name vlnv]]} {
            lappend attributes POLARITY [expr {[dict get $pin low] ? "ACTIVE_LOW" : "ACTIVE_HIGH"}]
        }
        if {$vector} {
            lappend attributes RIGHT 0
        }
        if {[dict get $pin plain]} {
            set kind data
        }
        if {$kind eq "intr"} {
            lappend attributes SENSITIVITY [sensitivity $path]
        }
        lappend attributes SIGIS [dict get {clk clk rst rst intr INTERRUPT data undef} $kind]
        if {$signal ne ""} {
            lappend attributes SIGNAME $signal
        }
        port $attributes $ends
    }

    proc interface {path} {
        set bus [effective $path]
        set type [expr {[dict get $bus mode] eq "master" ? "MASTER" : "SLAVE"}]
        set protocol [dict get $bus protocol]
        if {[family $protocol] eq "aximm"} {
            set vlnv xilinx.com:interface:aximm:1.0
        } elseif {$protocol eq "stream"} {
            set vlnv xilinx.com:interface:axis:1.0
            set type [expr {$type eq "MASTER" ? "INITIATOR" : "TARGET"}]
        } else {
            set type INITIATOR
            set vlnv $protocol
        }
        set outside [expr {![dict exists $::links $path] ||
            [dict exists $::ports [dict get $::links $path]]}]
        set attributes [list BUSNAME [expr {$outside ? "__NOC__" : [net_of $path]}]]
        if {[family $protocol] eq "aximm"} {
            lappend attributes DATAWIDTH [dict get $bus data]
        }
        lappend attributes NAME [file tail $path] TYPE $type VLNV $vlnv
        set hz [frequency [cell_of $path]/[dict get $bus clock]]
        element 4 BUSINTERFACE $attributes {
            if {[family $protocol] eq "aximm"} {
                set name [dict get {lite AXI4LITE axi3 AXI3 axi4 AXI4 read AXI4 write AXI4} \
                    $protocol]
                set direction [dict get {lite READ_WRITE axi3 READ_WRITE axi4 READ_WRITE
                    read READ_ONLY write WRITE_ONLY} $protocol]
                foreach {key value} [list DATA_WIDTH [dict get $bus data] PROTOCOL $name \
                        FREQ_HZ $hz ADDR_WIDTH [dict get $bus address] \
                        READ_WRITE_MODE $direction] {
                    element 5 PARAMETER [list NAME $key VALUE $value]
                }
            } elseif {$protocol eq "stream"} {
                foreach {key value} [list TDATA_NUM_BYTES [expr {[dict get $bus data] / 8}] \
                        HAS_TREADY 1 HAS_TSTRB [dict get $bus strobe] HAS_TKEEP 1 HAS_TLAST 1 \
                        FREQ_HZ $hz] {
                    element 5 PARAMETER [list NAME $key VALUE $value]
                }
            }
            element 5 PORTMAPS {} {
                foreach {logical driver width} [signals $bus] {
                    element 6 PORTMAP [list LOGICAL $logical PHYSICAL [physical $bus $logical]]
                }
            }
        }
    }

    proc properties {depth pairs} {
        foreach {key value} $pairs {
            element $depth PROPERTY [list NAME $key VALUE $value]
        }
    }

    proc address_block {cell segment} {
        set bus [dict get $segment bus]
        set usage [dict get $segment usage]
        set attributes [list ACCESS [expr {$usage eq "register" ? "read-write" : ""}] \
            INTERFACE [dict get $segment interface] NAME [dict get $segment name] \
            RANGE [dict get $segment range] USAGE $usage]
        if {![dict exists $cell registers $bus]} {
            element 4 ADDRESSBLOCK $attributes
            return
        }
        element 4 ADDRESSBLOCK $attributes {
            element 5 REGISTERS {} {
                dict for {name register} [dict get $cell registers $bus] {
                    one_register $name $register
                }
            }
        }
    }

    proc one_register {name register} {
        element 6 REGISTER [list NAME $name] {
            properties 7 [list DESCRIPTION [dict get $register description] \
                ADDRESS_OFFSET [format 0x%02X [dict get $register offset]] SIZE 32 \
                ACCESS [dict get $register access] IS_ENABLED true \
                RESET_VALUE [dict get $register reset]]
            element 7 FIELDS {} {
                foreach {field bit width access} [dict get $register fields] {
                    element 8 FIELD [list NAME $field] {
                        properties 9 [list DESCRIPTION $field ADDRESS_OFFSET $bit \
                            ACCESS $access MODIFIED_READ_VALUES {} WRITE_CONSTRAINT 0 \
                            READ_ACTION {} BIT_OFFSET $bit BIT_WIDTH $width]
                    }
                }
            }
        }
    }

    # What the masters of a cell reach, as attributes of MEMRANGE.
    proc ranges {name} {
        set rows [list]
        foreach part [dict keys [dict get $::cells $name spaces]] {
            foreach pair [reachable $name/$part] {
                lassign $pair path master
                set key [list $name/$part $path]
                if {![dict exists $::mapped $key]} {
                    continue
                }
                lassign [dict get $::mapped $key] offset range
                set slave [cell_of $path]
                set segment [dict get $::cells $slave segments \
                    [join [lrange [split $path /] 1 end] /]]
                lappend rows [list ADDRESSBLOCK [dict get $segment name] \
                    BASENAME [dict get $segment base]_BASEADDR \
                    BASEVALUE [format 0x%08X $offset] \
                    HIGHNAME [dict get $segment base]_HIGHADDR \
                    HIGHVALUE [format 0x%08X [expr {$offset + $range - 1}]] \
                    INSTANCE $slave IS_DATA TRUE IS_INSTRUCTION TRUE MASTERBUSINTERFACE $master \
                    MEMTYPE [string toupper [dict get $segment usage]] \
                    SLAVEBUSINTERFACE [dict get $segment bus]]
            }
        }
        return $rows
    }

    # The addresses of a cell's registers: its own parameters C_BASEADDR and C_HIGHADDR.
    proc own_addresses {name} {
        set values [list]
        dict for {other cell} $::cells {
            foreach row [ranges $other] {
                if {[dict get $row INSTANCE] eq $name} {
                    dict set values [dict get $row BASENAME] [dict get $row BASEVALUE]
                    dict set values [dict get $row HIGHNAME] [dict get $row HIGHVALUE]
                }
            }
        }
        return $values
    }

    proc module {design name cell} {
        lassign [split [dict get $cell vlnv] :] vendor library type version
        set class [dict get $cell class]
        set attributes [list]
        if {$class eq "processor"} {
            lappend attributes CONFIGURABLE TRUE
        }
        lappend attributes COREREVISION 0 FULLNAME /$name HWVERSION $version INSTANCE $name \
            IPTYPE [expr {$class eq "bus" ? "BUS" : "PERIPHERAL"}] IS_ENABLE 1
        if {$class eq "processor"} {
            lappend attributes IS_PL FALSE
        } else {
            lappend attributes MODCLASS [string toupper $class]
        }
        lappend attributes MODTYPE $type VLNV [dict get $cell vlnv]
        element 2 MODULE $attributes {
            element 3 DOCUMENTS {}
            if {[dict size [dict get $cell segments]]} {
                element 3 ADDRESSBLOCKS {} {
                    foreach segment [dict values [dict get $cell segments]] {
                        address_block $cell $segment
                    }
                }
            }
            element 3 PARAMETERS {} {
                foreach {key value} [concat [dict get $cell derived] [dict get $cell config] \
                        [list Component_Name ${design}_${name}_0 EDK_IPTYPE \
                        [expr {$class eq "bus" ? "BUS" : "PERIPHERAL"}]] [own_addresses $name]] {
                    element 4 PARAMETER [list NAME $key VALUE $value]
                }
            }
            element 3 PORTS {} {
                dict for {part pin} [dict get $cell pins] {
                    pin_ports $name $part $pin
                }
                foreach part [dict keys [dict get $cell buses]] {
                    bus_ports $name/$part
                }
            }
            if {[dict size [dict get $cell buses]]} {
                element 3 BUSINTERFACES {} {
                    foreach part [dict keys [dict get $cell buses]] {
                        interface $name/$part
                    }
                }
            } else {
                element 3 BUSINTERFACES {}
            }
            memory_map $name
        }
    }

    proc memory_map {name} {
        set rows [ranges $name]
        if {![llength $rows]} {
            return
        }
        element 3 MEMORYMAP {} {
            foreach row $rows {
                element 4 MEMRANGE $row
            }
        }
        element 3 PERIPHERALS {} {
            foreach slave [lsort -unique [lmap row $rows {dict get $row INSTANCE}]] {
                element 4 PERIPHERAL [list INSTANCE $slave]
            }
        }
    }

    # The whole file. PART is split into what SYSTEMINFO names.
    proc text {design part version} {
        variable lines {}
        if {[regexp {^xc(7z\d+)(clg\d+)(-\d)$} $part -> device package speed]} {
            set family zynq
        } elseif {[regexp {^(xczu\d+\w+)-(\w+)(-\d)-e$} $part -> device package speed]} {
            set family zynquplus
        }
        element 0 EDKSYSTEM [list EDWVERSION 1.2 TIMESTAMP "stand-in" VIVADOVERSION $version] {
            element 1 SYSTEMINFO [list ARCH $family DEVICE $device NAME $design \
                PACKAGE $package SPEEDGRADE $speed]
            element 1 EXTERNALPORTS {}
            element 1 EXTERNALINTERFACES {}
            element 1 MODULES {} {
                dict for {name cell} $::cells {
                    module $design $name $cell
                }
            }
        }
        return "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?>\n[join $lines \n]\n"
    }
}
