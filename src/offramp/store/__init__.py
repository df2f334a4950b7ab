"""What a run leaves behind: its folder, who may write there, and what machine it was made on."""
