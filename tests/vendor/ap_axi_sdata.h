// The part of the vendor's ap_axi_sdata.h that the engine uses: a word of an AXI-Stream without
// side channels, with the members that UG1399 documents ("Customizing AXI4-Stream Interfaces").
#ifndef AP_AXI_SDATA_H
#define AP_AXI_SDATA_H

#include <ap_int.h>

template <int WData, int WUser, int WId, int WDest>
struct ap_axiu;

template <int WData>
struct ap_axiu<WData, 0, 0, 0> {
    ap_uint<WData> data;
    ap_uint<(WData + 7) / 8> keep;
    ap_uint<(WData + 7) / 8> strb;
    ap_uint<1> last;
};

#endif
