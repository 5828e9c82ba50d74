# The IP cores that the stand-in knows: parameters with their defaults and allowed values, pins,
# interfaces, registers, address spaces. The stand-in knows nothing else: a name that Vivado has but
# this file does not must be added here, with its source.
#
# Sources: product guides (PG021 AXI DMA, PG059 AXI Interconnect, PG082 Zynq-7000 PS, PG099
# AXI INTC, PG144 AXI GPIO, PG164 Processor System Reset, PG201 Zynq UltraScale+ PS); HWH = the
# .hwh files that Vivado wrote and pynqmetadata ships as test data (resizer.hwh of 2019.2 and
# rfsoc_sam.hwh of 2020.2); BASE = boards/*/base/base.tcl in Xilinx/PYNQ, written by Vivado 2024.1.
# Classes, kinds of pins and ranges agree with public .hwh files of 2022.2 to 2025.2, among them one
# of PYNQ's base overlay.
# tests/test_vivado_standin.py compares names and defaults with the two HWH files.
#
# Words:
#   ip VLNV CLASS {NAME DEFAULT ALLOWED ...} BODY
#       ALLOWED: a list of values, LOW..HIGH for integers, number, hex, or any
#   In BODY, with the parameters in the array p:
#   pin NAME in|out clk|rst|intr|data ?-width N? ?-low? ?-optional? ?-sync CLOCK? ?-hz N?
#       ?-max N? ?-vector? ?-plain?           -plain: the .hwh does not state its kind
#   bus NAME master|slave PROTOCOL ?-clock PIN? ?-reset PIN? ?-data BITS? ?-address BITS?
#       ?-id BITS? ?-prefix TEXT? ?-case lower|upper? ?-optional? ?-apertures {LOW HIGH}?
#       ?-adapts? ?-strobe? ?-without {LOGICAL ...}?
#       PROTOCOL: lite, axi3, axi4, read, write (AXI4 in one direction), stream, or a VLNV
#   segment INTERFACE NAME RANGE register|memory ?-bus BUS? ?-base NAME?
#   space NAME BUS ...                        an address space and its master interfaces
#   register BUS NAME OFFSET ACCESS RESET DESCRIPTION {FIELD BIT WIDTH ACCESS ...}
#   through MASTERS SLAVES                    what enters at SLAVES leaves at MASTERS
#   derived NAME VALUE                        a parameter of the .hwh that no script sets

# ---- Zynq-7000 processing system: PG082, HWH resizer.hwh, BASE Pynq-Z2 -------------------------
set ps7 {
    PCW_IMPORT_BOARD_PRESET None {None}
    PCW_PRESET_BANK0_VOLTAGE {LVCMOS 3.3V} {{LVCMOS 3.3V} {LVCMOS 2.5V} {LVCMOS 1.8V}}
    PCW_PRESET_BANK1_VOLTAGE {LVCMOS 3.3V} {{LVCMOS 3.3V} {LVCMOS 2.5V} {LVCMOS 1.8V} {HSTL 1.8V}}
    PCW_CRYSTAL_PERIPHERAL_FREQMHZ 33.333333 number
    PCW_APU_PERIPHERAL_FREQMHZ 666.666666 number
    PCW_EN_RST0_PORT 1 {0 1}
    PCW_USE_M_AXI_GP0 1 {0 1}
    PCW_USE_S_AXI_HP0 0 {0 1}
    PCW_S_AXI_HP0_DATA_WIDTH 64 {32 64}
    PCW_USE_FABRIC_INTERRUPT 0 {0 1}
    PCW_IRQ_F2P_INTR 0 {0 1}
    PCW_IRQ_F2P_MODE DIRECT {DIRECT REVERSE}
    PCW_UIPARAM_DDR_ENABLE 1 {0 1}
    PCW_UIPARAM_DDR_MEMORY_TYPE {DDR 3} {{DDR 3} {DDR 3 (Low Voltage)} {DDR 2} {LPDDR 2}}
    PCW_UIPARAM_DDR_PARTNO {MT41J128M8 JP-125} any
    PCW_UIPARAM_DDR_DEVICE_CAPACITY {1024 MBits}
        {{512 MBits} {1024 MBits} {2048 MBits} {4096 MBits} {8192 MBits}}
    PCW_UIPARAM_DDR_DRAM_WIDTH {8 Bits} {{8 Bits} {16 Bits} {32 Bits}}
    PCW_UIPARAM_DDR_BUS_WIDTH {32 Bit} {{16 Bit} {32 Bit}}
    PCW_UIPARAM_DDR_FREQ_MHZ 533.333333 number
    PCW_UIPARAM_DDR_SPEED_BIN DDR3_1066F {DDR3_800D DDR3_800E DDR3_1066E DDR3_1066F DDR3_1066G}
    PCW_UIPARAM_DDR_ECC Disabled {Disabled Enabled}
    PCW_UIPARAM_DDR_BL 8 {4 8 16}
    PCW_UIPARAM_DDR_AL 0 0..10
    PCW_UIPARAM_DDR_CL 7 3..11
    PCW_UIPARAM_DDR_CWL 6 3..8
    PCW_UIPARAM_DDR_BANK_ADDR_COUNT 3 2..3
    PCW_UIPARAM_DDR_ROW_ADDR_COUNT 14 12..16
    PCW_UIPARAM_DDR_COL_ADDR_COUNT 10 9..12
    PCW_UIPARAM_DDR_T_FAW 30.0 number
    PCW_UIPARAM_DDR_T_RAS_MIN 35.0 number
    PCW_UIPARAM_DDR_T_RC 48.75 number
    PCW_UIPARAM_DDR_T_RCD 7 number
    PCW_UIPARAM_DDR_T_RP 7 number
    PCW_UIPARAM_DDR_HIGH_TEMP {Normal (0-85)} {{Normal (0-85)} {High (95 Max)}}
    PCW_UIPARAM_DDR_USE_INTERNAL_VREF 0 {0 1}
    PCW_UIPARAM_DDR_TRAIN_WRITE_LEVEL 1 {0 1}
    PCW_UIPARAM_DDR_TRAIN_READ_GATE 1 {0 1}
    PCW_UIPARAM_DDR_TRAIN_DATA_EYE 1 {0 1}
    PCW_QSPI_PERIPHERAL_ENABLE 0 {0 1}
    PCW_QSPI_QSPI_IO <Select> {<Select> {MIO 1 .. 6}}
    PCW_QSPI_GRP_SINGLE_SS_ENABLE 0 {0 1}
    PCW_QSPI_GRP_SINGLE_SS_IO <Select> {<Select> {MIO 1 .. 6}}
    PCW_QSPI_GRP_FBCLK_ENABLE 0 {0 1}
    PCW_QSPI_GRP_FBCLK_IO <Select> {<Select> {MIO 8}}
    PCW_QSPI_PERIPHERAL_FREQMHZ 200 number
    PCW_ENET0_PERIPHERAL_ENABLE 0 {0 1}
    PCW_ENET0_ENET0_IO <Select> {<Select> {MIO 16 .. 27} EMIO}
    PCW_ENET0_GRP_MDIO_ENABLE 0 {0 1}
    PCW_ENET0_GRP_MDIO_IO <Select> {<Select> {MIO 52 .. 53} EMIO}
    PCW_ENET0_PERIPHERAL_FREQMHZ {1000 Mbps} {{10 Mbps} {100 Mbps} {1000 Mbps}}
    PCW_SD0_PERIPHERAL_ENABLE 0 {0 1}
    PCW_SD0_SD0_IO <Select> {<Select> {MIO 16 .. 21} {MIO 28 .. 33} {MIO 40 .. 45} EMIO}
    PCW_SD0_GRP_CD_ENABLE 0 {0 1}
    PCW_SD0_GRP_CD_IO <Select> any
    PCW_SDIO_PERIPHERAL_FREQMHZ 100 number
    PCW_UART0_PERIPHERAL_ENABLE 0 {0 1}
    PCW_UART0_UART0_IO <Select> {<Select> {MIO 10 .. 11} {MIO 14 .. 15} {MIO 18 .. 19} EMIO}
    PCW_UART0_BAUD_RATE 115200 {110 300 1200 2400 4800 9600 19200 38400 57600 115200 128000 230400}
    PCW_UART_PERIPHERAL_FREQMHZ 100 number
    PCW_USB0_PERIPHERAL_ENABLE 0 {0 1}
    PCW_USB0_USB0_IO <Select> {<Select> {MIO 28 .. 39}}
}
foreach lane {0 1 2 3} {
    lappend ps7 PCW_UIPARAM_DDR_BOARD_DELAY$lane 0.25 number
    lappend ps7 PCW_UIPARAM_DDR_DQS_TO_CLK_DELAY_$lane 0.0 number
    lappend ps7 PCW_FCLK${lane}_PERIPHERAL_CLKSRC {IO PLL} {{IO PLL} {ARM PLL} {DDR PLL}}
    lappend ps7 PCW_FPGA${lane}_PERIPHERAL_FREQMHZ 50 number
    lappend ps7 PCW_FPGA_FCLK${lane}_ENABLE [expr {$lane == 0}] {0 1}
    lappend ps7 PCW_EN_CLK${lane}_PORT [expr {$lane == 0}] {0 1}
}

ip xilinx.com:ip:processing_system7:5.5 processor $ps7 {
    # The PLL that Vivado settles on: 1,600 MHz from 33.33 MHz (HWH), 1,000 MHz from 50 MHz (the
    # state in which a PYNQ-Z2 boots, UG585 and BASE); then the squarest pair of divisors.
    set crystal $p(PCW_CRYSTAL_PERIPHERAL_FREQMHZ)
    set multiplier [expr {abs($crystal - 50) < 1e-3 ? 20 : 48}]
    set pll [format %.3f [expr {$crystal * $multiplier}]]
    derived PCW_IOPLL_CTRL_FBDIV $multiplier
    derived PCW_IO_IO_PLL_FREQMHZ $pll
    foreach lane {0 1 2 3} {
        set divisors {1 1}
        set actual 10
        if {$p(PCW_FPGA_FCLK${lane}_ENABLE)} {
            set divisors [divisors $pll $p(PCW_FPGA${lane}_PERIPHERAL_FREQMHZ)]
            set actual [expr {$pll / [lindex $divisors 0] / [lindex $divisors 1]}]
            set hz [expr {round($actual * 1e6)}]
            pin FCLK_CLK$lane out clk -hz $hz
            derived PCW_CLK${lane}_FREQ $hz
        }
        derived PCW_FCLK${lane}_PERIPHERAL_DIVISOR0 [lindex $divisors 0]
        derived PCW_FCLK${lane}_PERIPHERAL_DIVISOR1 [lindex $divisors 1]
        derived PCW_ACT_FPGA${lane}_PERIPHERAL_FREQMHZ [format %.6f $actual]
    }
    if {$p(PCW_EN_RST0_PORT)} {
        pin FCLK_RESET0_N out rst -low
    }
    if {$p(PCW_USE_FABRIC_INTERRUPT) && $p(PCW_IRQ_F2P_INTR)} {
        pin IRQ_F2P in intr -width any
    }
    if {$p(PCW_USE_M_AXI_GP0)} {
        pin M_AXI_GP0_ACLK in clk
        bus M_AXI_GP0 master axi3 -clock M_AXI_GP0_ACLK -data 32 -address 32 -id 12 -case upper \
            -apertures {0x40000000 0x7FFFFFFF}
    }
    if {$p(PCW_USE_S_AXI_HP0)} {
        pin S_AXI_HP0_ACLK in clk
        bus S_AXI_HP0 slave axi3 -clock S_AXI_HP0_ACLK -data $p(PCW_S_AXI_HP0_DATA_WIDTH) \
            -address 32 -id 6 -case upper
        segment S_AXI_HP0 HP0_DDR_LOWOCM 536870912 memory
    }
    foreach port {0 1 2 3} {
        derived C_S_AXI_HP${port}_DATA_WIDTH [expr {$port ? 64 : $p(PCW_S_AXI_HP0_DATA_WIDTH)}]
    }
    bus DDR master xilinx.com:interface:ddrx:1.0
    bus FIXED_IO master xilinx.com:display_processing_system7:fixedio:1.0
    space Data M_AXI_GP0
}

# ---- Zynq UltraScale+ processing system: PG201, HWH rfsoc_sam.hwh, BASE ZCU104 -----------------
set ps8 {
    PSU_BANK_0_IO_STANDARD LVCMOS18 {LVCMOS18 LVCMOS25 LVCMOS33}
    PSU_BANK_1_IO_STANDARD LVCMOS18 {LVCMOS18 LVCMOS25 LVCMOS33}
    PSU_BANK_2_IO_STANDARD LVCMOS18 {LVCMOS18 LVCMOS25 LVCMOS33}
    PSU_BANK_3_IO_STANDARD LVCMOS18 {LVCMOS18 LVCMOS25 LVCMOS33}
    PSU__PSS_REF_CLK__FREQMHZ 33.33333 number
    PSU__CRF_APB__DDR_CTRL__FREQMHZ 1200 number
    PSU__CRF_APB__DDR_CTRL__SRCSEL DPLL {DPLL VPLL}
    PSU__DDRC__ENABLE 1 {0 1}
    PSU__DDRC__MEMORY_TYPE {DDR 4} {{DDR 3} {DDR 4} {LPDDR 3} {LPDDR 4}}
    PSU__DDRC__COMPONENTS Components {Components UDIMM RDIMM SODIMM}
    PSU__DDRC__DEVICE_CAPACITY {4096 MBits}
        {{1024 MBits} {2048 MBits} {4096 MBits} {8192 MBits} {16384 MBits}}
    PSU__DDRC__DRAM_WIDTH {16 Bits} {{8 Bits} {16 Bits} {32 Bits}}
    PSU__DDRC__BUS_WIDTH {64 Bit} {{32 Bit} {64 Bit}}
    PSU__DDRC__SPEED_BIN DDR4_2400R {DDR4_1866M DDR4_2133P DDR4_2133R DDR4_2400P DDR4_2400R}
    PSU__DDRC__ECC Disabled {Disabled Enabled}
    PSU__DDRC__AL 0 0..16
    PSU__DDRC__CL 15 5..24
    PSU__DDRC__CWL 14 5..20
    PSU__DDRC__BG_ADDR_COUNT 2 0..2
    PSU__DDRC__ROW_ADDR_COUNT 15 12..18
    PSU__DDRC__RANK_ADDR_COUNT 0 0..1
    PSU__DDRC__BRC_MAPPING ROW_BANK_COL {ROW_BANK_COL BANK_ROW_COL}
    PSU__DDRC__DM_DBI DM_NO_DBI {DM_NO_DBI DM_DBI_NONE NO_DM_DBI_WR_RD NO_DM_NO_DBI}
    PSU__DDRC__T_FAW 30.0 number
    PSU__DDRC__T_RAS_MIN 33 number
    PSU__DDRC__T_RC 47.06 number
    PSU__DDRC__T_RCD 15 number
    PSU__DDRC__T_RP 15 number
    PSU__USE__M_AXI_GP0 1 {0 1}
    PSU__USE__M_AXI_GP1 1 {0 1}
    PSU__USE__M_AXI_GP2 0 {0 1}
    PSU__MAXIGP0__DATA_WIDTH 128 {32 64 128}
    PSU__MAXIGP1__DATA_WIDTH 128 {32 64 128}
    PSU__MAXIGP2__DATA_WIDTH 32 {32 64 128}
    PSU__USE__S_AXI_GP2 0 {0 1}
    PSU__SAXIGP2__DATA_WIDTH 128 {32 64 128}
    PSU__USE__IRQ0 0 {0 1}
}
foreach lane {0 1 2 3} {
    lappend ps8 PSU__FPGA_PL${lane}_ENABLE [expr {$lane == 0}] {0 1}
    lappend ps8 PSU__CRL_APB__PL${lane}_REF_CTRL__FREQMHZ 100 number
    lappend ps8 PSU__CRL_APB__PL${lane}_REF_CTRL__SRCSEL [expr {$lane ? "RPLL" : "IOPLL"}] \
        {IOPLL RPLL DPLL}
}

ip xilinx.com:ip:zynq_ultra_ps_e:3.5 processor $ps8 {
    # HWH: IOPLL = reference * 90 / 2.
    set pll [expr {$p(PSU__PSS_REF_CLK__FREQMHZ) * 90 / 2}]
    derived PSU__CRL_APB__IOPLL_CTRL__FBDIV 90
    derived PSU__CRL_APB__IOPLL_CTRL__DIV2 1
    foreach lane {0 1 2 3} {
        set name PSU__CRL_APB__PL${lane}_REF_CTRL__
        set divisors [divisors $pll $p(${name}FREQMHZ)]
        lassign [lsort -integer -decreasing $divisors] first second
        set actual [expr {$pll / $first / $second}]
        derived ${name}DIVISOR0 $first
        derived ${name}DIVISOR1 $second
        derived ${name}ACT_FREQMHZ [format %.6f $actual]
        if {$p(PSU__FPGA_PL${lane}_ENABLE)} {
            pin pl_clk$lane out clk -hz [expr {round($actual * 1e6)}]
        }
    }
    # The widths of every port, used or not: pynq writes them into the AFIFM registers (HWH).
    foreach {letter ports} {M {0 1 2} S {0 1 2 3 4 5 6}} {
        foreach port $ports {
            set name PSU__${letter}AXIGP${port}__DATA_WIDTH
            if {![info exists p($name)]} {
                derived $name 128
            }
            set width [expr {[info exists p($name)] ? $p($name) : 128}]
            derived C_${letter}AXIGP${port}_DATA_WIDTH $width
        }
    }
    pin pl_resetn0 out rst -low
    if {$p(PSU__USE__IRQ0)} {
        pin pl_ps_irq0 in intr -width any
    }
    set masters [list]
    foreach {port clock name low high} {
        0 maxihpm0_fpd_aclk M_AXI_HPM0_FPD 0xA0000000 0xAFFFFFFF
        1 maxihpm1_fpd_aclk M_AXI_HPM1_FPD 0xB0000000 0xBFFFFFFF
        2 maxihpm0_lpd_aclk M_AXI_HPM0_LPD 0x80000000 0x9FFFFFFF
    } {
        if {$p(PSU__USE__M_AXI_GP$port)} {
            pin $clock in clk
            bus $name master axi4 -clock $clock -data $p(PSU__MAXIGP${port}__DATA_WIDTH) \
                -address 40 -id 16 -prefix maxigp$port -apertures [list $low $high]
            lappend masters $name
        }
    }
    if {$p(PSU__USE__S_AXI_GP2)} {
        pin saxihp0_fpd_aclk in clk
        bus S_AXI_HP0_FPD slave axi4 -clock saxihp0_fpd_aclk -data $p(PSU__SAXIGP2__DATA_WIDTH) \
            -address 49 -id 6 -prefix saxigp2
        segment SAXIGP2 HP0_DDR_LOW 0x80000000 memory -bus S_AXI_HP0_FPD
        segment SAXIGP2 HP0_LPS_OCM 0x1000000 register -bus S_AXI_HP0_FPD
    }
    space Data {*}$masters
}

# ---- AXI DMA: PG021, HWH resizer.hwh ------------------------------------------------------------
set dma {
    c_include_sg 1 {0 1}
    c_sg_include_stscntrl_strm 1 {0 1}
    c_sg_use_stsapp_length 0 {0 1}
    c_sg_length_width 14 8..26
    c_enable_multi_channel 0 {0 1}
    c_num_mm2s_channels 1 1..16
    c_num_s2mm_channels 1 1..16
    c_dlytmr_resolution 125 1..100000
    c_prmry_is_aclk_async 0 {0 1}
    c_micro_dma 0 {0 1}
    c_include_mm2s 1 {0 1}
    c_m_axi_mm2s_data_width 32 {32 64 128 256 512 1024}
    c_m_axis_mm2s_tdata_width 32 {8 16 32 64 128 256 512 1024}
    c_include_mm2s_dre 0 {0 1}
    c_include_mm2s_sf 1 {0 1}
    c_mm2s_burst_size 16 {2 4 8 16 32 64 128 256}
    c_include_s2mm 1 {0 1}
    c_m_axi_s2mm_data_width 32 {32 64 128 256 512 1024}
    c_s_axis_s2mm_tdata_width 32 {8 16 32 64 128 256 512 1024}
    c_include_s2mm_dre 0 {0 1}
    c_include_s2mm_sf 1 {0 1}
    c_s2mm_burst_size 16 {2 4 8 16 32 64 128 256}
    c_addr_width 32 32..64
    c_single_interface 0 {0 1}
    c_increase_throughput 0 {0 1}
}

ip xilinx.com:ip:axi_dma:7.1 peripheral $dma {
    if {$p(c_include_sg)} {
        pin m_axi_sg_aclk in clk
        bus M_AXI_SG master axi4 -clock m_axi_sg_aclk -reset axi_resetn -data 32 \
            -address $p(c_addr_width) -case lower
        space Data_SG M_AXI_SG
    }
    foreach name [array names p] {
        if {$name ni {c_addr_width c_single_interface}} {
            derived [string toupper $name] $p($name)
        }
    }
    foreach name {SG MM2S S2MM} {
        derived C_M_AXI_${name}_ADDR_WIDTH $p(c_addr_width)
    }
    pin s_axi_lite_aclk in clk
    pin axi_resetn in rst -low -sync s_axi_lite_aclk
    bus S_AXI_LITE slave lite -clock s_axi_lite_aclk -reset axi_resetn -data 32 -address 10 \
        -case lower -without {WSTRB AWPROT ARPROT}
    segment S_AXI_LITE Reg 4096 register
    foreach {channel direction base} {mm2s read 0x00 s2mm write 0x30} {
        if {!$p(c_include_$channel)} {
            continue
        }
        set upper [string toupper $channel]
        set stream [expr {$channel eq "mm2s" ? "M_AXIS_MM2S" : "S_AXIS_S2MM"}]
        set width [expr {$channel eq "mm2s" ? "c_m_axis_mm2s_tdata_width"
            : "c_s_axis_s2mm_tdata_width"}]
        if {$p($width) > $p(c_m_axi_${channel}_data_width)} {
            error "the stream must be no wider than the memory side (PG021).\
                Received: $width $p($width)"
        }
        pin m_axi_${channel}_aclk in clk
        pin ${channel}_prmry_reset_out_n out rst -low -optional
        pin ${channel}_introut out intr
        bus M_AXI_$upper master $direction -clock m_axi_${channel}_aclk -reset axi_resetn \
            -data $p(c_m_axi_${channel}_data_width) -address $p(c_addr_width) -case lower
        bus $stream [expr {$channel eq "mm2s" ? "master" : "slave"}] stream \
            -clock m_axi_${channel}_aclk -reset axi_resetn -data $p($width) -case lower
        space Data_$upper M_AXI_$upper

        set common {IOC_IrqEn 12 1 read-write Dly_IrqEn 13 1 read-write Err_IrqEn 14 1 read-write
            IRQThreshold 16 8 read-write IRQDelay 24 8 read-write}
        register S_AXI_LITE ${upper}_DMACR $base read-write 0x10002 "$upper control" \
            [concat {RS 0 1 read-write Reset 2 1 read-write Keyhole 3 1 read-write
                Cyclic_BD_Enable 4 1 read-write} $common]
        register S_AXI_LITE ${upper}_DMASR [expr {$base + 4}] read-write 0x10000 "$upper status" {
            Halted 0 1 read-only Idle 1 1 read-only SGIncld 3 1 read-only
            DMAIntErr 4 1 read-only DMASlvErr 5 1 read-only DMADecErr 6 1 read-only
            SGIntErr 8 1 read-only SGSlvErr 9 1 read-only SGDecErr 10 1 read-only
            IOC_Irq 12 1 read-write Dly_Irq 13 1 read-write Err_Irq 14 1 read-write
            IRQThresholdSts 16 8 read-only IRQDelaySts 24 8 read-only
        }
        # The descriptor registers are in the .hwh in simple mode too (HWH).
        foreach {name at} {CURDESC 0x08 TAILDESC 0x10} {
            set pointer [expr {$name eq "CURDESC" ? "Current" : "Tail"}]_Descriptor_Pointer
            register S_AXI_LITE ${upper}_$name [expr {$base + $at}] read-write 0x0 \
                "$upper descriptor pointer, low word" [list $pointer 6 26 read-write]
            register S_AXI_LITE ${upper}_${name}_MSB [expr {$base + $at + 4}] read-write 0x0 \
                "$upper descriptor pointer, high word" [list $pointer 0 32 read-write]
        }
        set address [expr {$channel eq "mm2s" ? "SA" : "DA"}]
        set field [expr {$channel eq "mm2s" ? "Source_Address" : "Destination_Address"}]
        register S_AXI_LITE ${upper}_$address [expr {$base + 0x18}] read-write 0x0 \
            "$upper address, low word" [list $field 0 32 read-write]
        register S_AXI_LITE ${upper}_${address}_MSB [expr {$base + 0x1C}] read-write 0x0 \
            "$upper address, high word" [list $field 0 32 read-write]
        register S_AXI_LITE ${upper}_LENGTH [expr {$base + 0x28}] read-write 0x0 \
            "$upper length in bytes; writing it starts the transfer" \
            [list Length 0 $p(c_sg_length_width) read-write]
    }
    register S_AXI_LITE SG_CTL 0x2C read-write 0x03 {Scatter gather user and cache} {
        SG_CACHE 0 4 read-write SG_USER 8 4 read-write
    }
}

# ---- AXI INTC: PG099, BASE Pynq-Z2 ---------------------------------------------------------------
set intc {
    C_IRQ_CONNECTION 0 {0 1}
    C_HAS_FAST 0 {0 1}
    C_HAS_IPR 1 {0 1}
    C_HAS_SIE 1 {0 1}
    C_HAS_CIE 1 {0 1}
    C_HAS_IVR 1 {0 1}
    C_HAS_ILR 0 {0 1}
    C_NUM_SW_INTR 0 0..31
    C_ASYNC_INTR 0xFFFFFFFF hex
    C_DISABLE_SYNCHRONIZERS 0 {0 1}
    C_IRQ_IS_LEVEL 1 {0 1}
    C_IRQ_ACTIVE 0x1 hex
}

ip xilinx.com:ip:axi_intc:4.1 interrupt_cntlr $intc {
    pin s_axi_aclk in clk
    pin s_axi_aresetn in rst -low -sync s_axi_aclk
    pin intr in intr -width any -max 32
    pin irq out intr
    bus s_axi slave lite -clock s_axi_aclk -reset s_axi_aresetn -data 32 -address 9 \
        -without {AWPROT ARPROT}
    segment S_AXI Reg 4096 register -bus s_axi
    foreach {name offset access description} {
        ISR 0x00 read-write {Interrupt status}
        IPR 0x04 read-only {Interrupt pending}
        IER 0x08 read-write {Interrupt enable}
        IAR 0x0C write-only {Interrupt acknowledge}
        SIE 0x10 read-write {Set interrupt enables}
        CIE 0x14 read-write {Clear interrupt enables}
        IVR 0x18 read-only {Interrupt vector}
    } {
        register s_axi $name $offset $access 0x0 $description [list INT 0 32 $access]
    }
    register s_axi MER 0x1C read-write 0x0 {Master enable} {
        ME 0 1 read-write HIE 1 1 read-write
    }
}

# ---- AXI GPIO: PG144, BASE Pynq-Z2 ---------------------------------------------------------------
set gpio {
    C_GPIO_WIDTH 32 1..32
    C_GPIO2_WIDTH 32 1..32
    C_ALL_INPUTS 0 {0 1}
    C_ALL_OUTPUTS 0 {0 1}
    C_ALL_INPUTS_2 0 {0 1}
    C_ALL_OUTPUTS_2 0 {0 1}
    C_IS_DUAL 0 {0}
    C_INTERRUPT_PRESENT 0 {0}
    C_DOUT_DEFAULT 0x00000000 hex
    C_DOUT_DEFAULT_2 0x00000000 hex
    C_TRI_DEFAULT 0xFFFFFFFF hex
    C_TRI_DEFAULT_2 0xFFFFFFFF hex
}

ip xilinx.com:ip:axi_gpio:2.0 peripheral $gpio {
    pin s_axi_aclk in clk
    pin s_axi_aresetn in rst -low -sync s_axi_aclk
    bus S_AXI slave lite -clock s_axi_aclk -reset s_axi_aresetn -data 32 -address 9 \
        -case lower -without {AWPROT ARPROT}
    if {!$p(C_ALL_OUTPUTS)} {
        pin gpio_io_i in data -width $p(C_GPIO_WIDTH)
    }
    if {!$p(C_ALL_INPUTS)} {
        pin gpio_io_o out data -width $p(C_GPIO_WIDTH)
    }
    segment S_AXI Reg 4096 register
    register S_AXI GPIO_DATA 0x0 read-write 0x0 {Channel 1 data} \
        [list Channel_1_GPIO_DATA 0 $p(C_GPIO_WIDTH) read-write]
    register S_AXI GPIO_TRI 0x4 read-write 0x0 {Channel 1 three-state control} \
        [list Channel_1_GPIO_TRI 0 $p(C_GPIO_WIDTH) read-write]
}

# ---- Processor System Reset: PG164, HWH resizer.hwh, BASE Pynq-Z2 --------------------------------
set resetter {
    C_EXT_RST_WIDTH 4 1..16
    C_AUX_RST_WIDTH 4 1..16
    C_EXT_RESET_HIGH 0 {0 1}
    C_AUX_RESET_HIGH 0 {0 1}
    C_NUM_BUS_RST 1 1..8
    C_NUM_PERP_RST 1 1..16
    C_NUM_INTERCONNECT_ARESETN 1 1..8
    C_NUM_PERP_ARESETN 1 1..16
    USE_BOARD_FLOW false {false true}
    RESET_BOARD_INTERFACE Custom {Custom}
}

ip xilinx.com:ip:proc_sys_reset:5.0 peripheral $resetter {
    pin slowest_sync_clk in clk
    pin ext_reset_in in rst {*}[expr {$p(C_EXT_RESET_HIGH) ? "" : "-low"}]
    pin aux_reset_in in rst -optional {*}[expr {$p(C_AUX_RESET_HIGH) ? "" : "-low"}]
    pin mb_debug_sys_rst in rst -optional
    pin dcm_locked in data -optional
    pin mb_reset out rst -sync slowest_sync_clk -optional
    pin bus_struct_reset out rst -sync slowest_sync_clk -optional -vector
    pin peripheral_reset out rst -sync slowest_sync_clk -optional -vector
    pin interconnect_aresetn out rst -low -sync slowest_sync_clk -optional -vector
    pin peripheral_aresetn out rst -low -sync slowest_sync_clk -optional -vector
}

# ---- Concat: BASE Pynq-Z2 -----------------------------------------------------------------------
set concat_lines {
    NUM_PORTS 2 1..32
}

ip xilinx.com:ip:xlconcat:2.1 peripheral $concat_lines {
    for {set line 0} {$line < $p(NUM_PORTS)} {incr line} {
        pin In$line in intr -vector -plain
        derived IN${line}_WIDTH 1
    }
    pin dout out intr -width $p(NUM_PORTS) -vector -plain
    derived dout_width $p(NUM_PORTS)
}

# ---- AXI Interconnect: PG059, HWH resizer.hwh, BASE Pynq-Z2 --------------------------------------
set interconnect {
    NUM_SI 1 1..16
    NUM_MI 2 1..64
    STRATEGY 0 0..2
    ENABLE_ADVANCED_OPTIONS 0 {0 1}
    XBAR_DATA_WIDTH 32 {32 64 128 256 512 1024}
    SYNCHRONIZATION_STAGES 3 2..8
}

ip xilinx.com:ip:axi_interconnect:2.1 bus $interconnect {
    pin ACLK in clk
    pin ARESETN in rst -low -sync ACLK
    set ends {S {} M {}}
    foreach {letter count mode} [list S $p(NUM_SI) slave M $p(NUM_MI) master] {
        for {set port 0} {$port < $count} {incr port} {
            set name [format %s%02d $letter $port]
            pin ${name}_ACLK in clk
            pin ${name}_ARESETN in rst -low -sync ${name}_ACLK
            bus ${name}_AXI $mode axi4 -clock ${name}_ACLK -reset ${name}_ARESETN -adapts
            dict lappend ends $letter ${name}_AXI
        }
    }
    through [dict get $ends M] [dict get $ends S]
}
