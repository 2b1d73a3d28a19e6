<?xml version="1.0"?>
<Worksheet><Version major="6"/></Worksheet>
