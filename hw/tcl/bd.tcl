# Step bd: the project and its block design.
#
#   processor --control--> registers of engine, dma, interrupts, engine_reset
#   memory <--dma--> engine          64-bit streams
#   engine_reset --> engine_resetter --> engine, so that the driver can free a stuck engine

source [file join $::env(CIRCNN_HW) tcl settings.tcl]
source [file join $::env(CIRCNN_HW) tcl verbs.tcl]

set name [setting name]
create_project -force -part [setting part] $name [built vivado]
set_property ip_repo_paths [list [built hls solution1 impl ip]] [current_project]
update_ip_catalog
create_bd_design $name

set interrupts [setting interrupts]
set slaves [setting address_map]
set masters {dma/M_AXI_MM2S dma/M_AXI_S2MM}

# The parts.
instance processor [setting processor_ip] [setting processor_parameters]
instance engine [setting engine]
instance dma xilinx.com:ip:axi_dma [setting dma_parameters]
instance interrupts xilinx.com:ip:axi_intc {C_IRQ_CONNECTION 1}
instance interrupt_lines xilinx.com:ip:xlconcat [list NUM_PORTS [llength $interrupts]]
instance control xilinx.com:ip:axi_interconnect [list NUM_SI 1 NUM_MI [llength $slaves]]
instance memory xilinx.com:ip:axi_interconnect [list NUM_SI [llength $masters] NUM_MI 1]
instance resetter xilinx.com:ip:proc_sys_reset
instance engine_resetter xilinx.com:ip:proc_sys_reset {C_AUX_RESET_HIGH 1}
instance engine_reset xilinx.com:ip:axi_gpio \
    {C_GPIO_WIDTH 1 C_ALL_OUTPUTS 1 C_DOUT_DEFAULT 0x00000000}

# Data.
connect dma/M_AXIS_MM2S engine/in_stream
connect engine/out_stream dma/S_AXIS_S2MM
set port 0
foreach master $masters {
    connect $master memory/[format S%02d_AXI $port]
    incr port
}
connect memory/M00_AXI processor/[setting processor_memory]

# Registers: the segment CELL/INTERFACE/BLOCK belongs to the interface CELL/INTERFACE.
connect processor/[setting processor_control] control/S00_AXI
set port 0
foreach slave $slaves {
    lassign [split [lindex $slave 0] /] cell interface
    if {![llength [get_bd_intf_pins -quiet $cell/$interface]]} {
        set interface [string tolower $interface]
    }
    connect control/[format M%02d_AXI $port] $cell/$interface
    incr port
}

# Interrupts, in the order of the settings.
set line 0
foreach interrupt $interrupts {
    connect $interrupt interrupt_lines/In$line
    incr line
}
connect interrupt_lines/dout interrupts/intr
connect interrupts/irq processor/[setting processor_interrupt]

# One clock.
connect processor/[setting processor_clock] \
    processor/[setting processor_control_clock] processor/[setting processor_memory_clock] \
    engine/ap_clk dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk \
    interrupts/s_axi_aclk engine_reset/s_axi_aclk \
    resetter/slowest_sync_clk engine_resetter/slowest_sync_clk \
    control/ACLK control/S00_ACLK memory/ACLK memory/M00_ACLK

# Two resets: the processor resets everything, the driver only the engine.
connect processor/[setting processor_reset] resetter/ext_reset_in engine_resetter/ext_reset_in
connect engine_reset/gpio_io_o engine_resetter/aux_reset_in
connect engine_resetter/peripheral_aresetn engine/ap_rst_n
connect resetter/interconnect_aresetn control/ARESETN memory/ARESETN
connect resetter/peripheral_aresetn dma/axi_resetn interrupts/s_axi_aresetn \
    engine_reset/s_axi_aresetn control/S00_ARESETN memory/M00_ARESETN

# The interconnects' own ports.
foreach {cell letter count} [list control M [llength $slaves] memory S [llength $masters]] {
    for {set port 0} {$port < $count} {incr port} {
        set prefix [format %s%02d $letter $port]
        connect processor/[setting processor_clock] $cell/${prefix}_ACLK
        connect resetter/peripheral_aresetn $cell/${prefix}_ARESETN
    }
}

# The processor's own pins.
foreach {port vlnv} [setting external] {
    external $port $vlnv processor/$port
}

# Addresses.
foreach slave $slaves {
    lassign $slave segment offset range
    locate $segment processor/[setting processor_address_space] $offset $range
}
set segment processor/[setting processor_memory_segment]
foreach space [setting memory_masters] {
    locate $segment $space 0x00000000 [setting memory_bytes]
    hide [file dirname $segment]/* $segment $space
}

validate_bd_design
save_bd_design
