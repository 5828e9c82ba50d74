// ==============================================================
// Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2024.1 (64-bit)
// ==============================================================
// control
// 0x00 : Control signals
//        bit 0  - ap_start (Read/Write/COH)
//        bit 1  - ap_done (Read/COR)
//        bit 2  - ap_idle (Read)
//        bit 3  - ap_ready (Read/COR)
//        bit 7  - auto_restart (Read/Write)
//        bit 9  - interrupt (Read)
//        others - reserved
// 0x04 : Global Interrupt Enable Register
// 0x08 : IP Interrupt Enable Register (Read/Write)
// 0x0c : IP Interrupt Status Register (Read/TOW)
// 0x10 : Data signal of status
//        bit 31~0 - status[31:0] (Read)
// 0x14 : Control signal of status
//        bit 0  - status_ap_vld (Read/COR)
//        others - reserved
// 0x20 : Data signal of detail
//        bit 31~0 - detail[31:0] (Read)
// 0x24 : Control signal of detail
//        bit 0  - detail_ap_vld (Read/COR)
//        others - reserved
// 0x30 : Data signal of samples
//        bit 31~0 - samples[31:0] (Read)
// 0x34 : Control signal of samples
//        bit 0  - samples_ap_vld (Read/COR)
//        others - reserved
// 0x40 : Data signal of saturations
//        bit 31~0 - saturations[31:0] (Read)
// 0x44 : Control signal of saturations
//        bit 0  - saturations_ap_vld (Read/COR)
//        others - reserved
// 0x50 : Data signal of product_trips
//        bit 31~0 - product_trips[31:0] (Read)
// 0x54 : Control signal of product_trips
//        bit 0  - product_trips_ap_vld (Read/COR)
//        others - reserved
// 0x60 : Data signal of beats_in
//        bit 31~0 - beats_in[31:0] (Read)
// 0x64 : Control signal of beats_in
//        bit 0  - beats_in_ap_vld (Read/COR)
//        others - reserved
// 0x70 : Data signal of beats_out
//        bit 31~0 - beats_out[31:0] (Read)
// 0x74 : Control signal of beats_out
//        bit 0  - beats_out_ap_vld (Read/COR)
//        others - reserved
// 0x80 : Data signal of identity
//        bit 31~0 - identity[31:0] (Read)
// 0x84 : Control signal of identity
//        bit 0  - identity_ap_vld (Read/COR)
//        others - reserved
// 0x90 : Data signal of version
//        bit 31~0 - version[31:0] (Read)
// 0x94 : Control signal of version
//        bit 0  - version_ap_vld (Read/COR)
//        others - reserved
// 0xa0 : Data signal of configuration
//        bit 31~0 - configuration[31:0] (Read)
// 0xa4 : Control signal of configuration
//        bit 0  - configuration_ap_vld (Read/COR)
//        others - reserved
// (SC = Self Clear, COR = Clear on Read, TOW = Toggle on Write, COH = Clear on Handshake)

#define XCIRCNN_ENGINE_CONTROL_ADDR_AP_CTRL            0x00
#define XCIRCNN_ENGINE_CONTROL_ADDR_GIE                0x04
#define XCIRCNN_ENGINE_CONTROL_ADDR_IER                0x08
#define XCIRCNN_ENGINE_CONTROL_ADDR_ISR                0x0c
#define XCIRCNN_ENGINE_CONTROL_ADDR_STATUS_DATA        0x10
#define XCIRCNN_ENGINE_CONTROL_BITS_STATUS_DATA        32
#define XCIRCNN_ENGINE_CONTROL_ADDR_STATUS_CTRL        0x14
#define XCIRCNN_ENGINE_CONTROL_ADDR_DETAIL_DATA        0x20
#define XCIRCNN_ENGINE_CONTROL_BITS_DETAIL_DATA        32
#define XCIRCNN_ENGINE_CONTROL_ADDR_DETAIL_CTRL        0x24
#define XCIRCNN_ENGINE_CONTROL_ADDR_SAMPLES_DATA       0x30
#define XCIRCNN_ENGINE_CONTROL_BITS_SAMPLES_DATA       32
#define XCIRCNN_ENGINE_CONTROL_ADDR_SAMPLES_CTRL       0x34
#define XCIRCNN_ENGINE_CONTROL_ADDR_SATURATIONS_DATA   0x40
#define XCIRCNN_ENGINE_CONTROL_BITS_SATURATIONS_DATA   32
#define XCIRCNN_ENGINE_CONTROL_ADDR_SATURATIONS_CTRL   0x44
#define XCIRCNN_ENGINE_CONTROL_ADDR_PRODUCT_TRIPS_DATA 0x50
#define XCIRCNN_ENGINE_CONTROL_BITS_PRODUCT_TRIPS_DATA 32
#define XCIRCNN_ENGINE_CONTROL_ADDR_PRODUCT_TRIPS_CTRL 0x54
#define XCIRCNN_ENGINE_CONTROL_ADDR_BEATS_IN_DATA      0x60
#define XCIRCNN_ENGINE_CONTROL_BITS_BEATS_IN_DATA      32
#define XCIRCNN_ENGINE_CONTROL_ADDR_BEATS_IN_CTRL      0x64
#define XCIRCNN_ENGINE_CONTROL_ADDR_BEATS_OUT_DATA     0x70
#define XCIRCNN_ENGINE_CONTROL_BITS_BEATS_OUT_DATA     32
#define XCIRCNN_ENGINE_CONTROL_ADDR_BEATS_OUT_CTRL     0x74
#define XCIRCNN_ENGINE_CONTROL_ADDR_IDENTITY_DATA      0x80
#define XCIRCNN_ENGINE_CONTROL_BITS_IDENTITY_DATA      32
#define XCIRCNN_ENGINE_CONTROL_ADDR_IDENTITY_CTRL      0x84
#define XCIRCNN_ENGINE_CONTROL_ADDR_VERSION_DATA       0x90
#define XCIRCNN_ENGINE_CONTROL_BITS_VERSION_DATA       32
#define XCIRCNN_ENGINE_CONTROL_ADDR_VERSION_CTRL       0x94
#define XCIRCNN_ENGINE_CONTROL_ADDR_CONFIGURATION_DATA 0xa0
#define XCIRCNN_ENGINE_CONTROL_BITS_CONFIGURATION_DATA 32
#define XCIRCNN_ENGINE_CONTROL_ADDR_CONFIGURATION_CTRL 0xa4

